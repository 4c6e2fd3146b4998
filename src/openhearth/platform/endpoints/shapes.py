"""Bodies and replies of Together's endpoints, `camelCase` outside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from openhearth.platform.wire import Wire

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")]
Visibility = Literal["VISIBILITY_PRIVATE", "VISIBILITY_INTERNAL"]
State = Literal[
    "DEPLOYMENT_STATE_PROVISIONING",
    "DEPLOYMENT_STATE_READY",
    "DEPLOYMENT_STATE_SCALING",
    "DEPLOYMENT_STATE_STOPPED",
]
LIVE: Literal["TRAFFIC_MODE_LIVE"] = "TRAFFIC_MODE_LIVE"
MOST_REPLICAS = 64
LONGEST_IDLE = 1440  # minutes


class TrafficShare(Wire):
    """How much of an endpoint's traffic a deployment gets, in proportion to the others."""

    deployment_id: Annotated[str, Field(max_length=64)]
    weight: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class Autoscaling(Wire):
    """From how few to how many replicas; the rest is kept, and does nothing yet."""

    min_replicas: Annotated[int, Field(ge=0, le=MOST_REPLICAS)] | None = None
    max_replicas: Annotated[int, Field(ge=0, le=MOST_REPLICAS)] | None = None
    scale_up_window: str | None = None
    scale_down_window: str | None = None
    scale_to_zero_window: str | None = None
    scaling_metrics: list[dict[str, Any]] | None = None


class NewEndpoint(Wire):
    """The body that makes an endpoint."""

    name: Name
    visibility: Visibility = "VISIBILITY_PRIVATE"


class EndpointChange(Wire):
    """The body that changes one; what is missing stays."""

    etag: str | None = None
    name: Name | None = None
    visibility: Visibility | None = None
    traffic_split: Annotated[list[TrafficShare], Field(max_length=64)] | None = None


class NewDeployment(Wire):
    """The body that makes a deployment. The model is named by either field."""

    name: Name
    model: Annotated[str, Field(max_length=256)] | None = None
    model_id: Annotated[str, Field(max_length=256)] | None = None
    model_revision_id: str | None = None
    config: str | None = None
    config_id: str | None = None
    autoscaling: Autoscaling
    inactive_timeout: Annotated[int, Field(ge=0, le=LONGEST_IDLE)] = 0
    max_concurrent_requests_per_replica: Annotated[str, Field(pattern=r"^\d{1,9}$")] | None = None
    placement: dict[str, Any] | None = None


class DeploymentChange(Wire):
    """The body that changes one; what is missing stays."""

    etag: str | None = None
    name: Name | None = None
    autoscaling: Autoscaling | None = None
    inactive_timeout: Annotated[int, Field(ge=0, le=LONGEST_IDLE)] | None = None
    max_concurrent_requests_per_replica: Annotated[str, Field(pattern=r"^\d{1,9}$")] | None = None


class DeploymentSummary(Wire):
    """A deployment as its endpoint shows it."""

    id: str
    name: str
    model: str
    model_id: str
    state: State
    autoscaling: Autoscaling
    desired_replicas: int
    ready_replicas: int
    estimated_effective_traffic_share: float
    traffic_mode: Literal["TRAFFIC_MODE_LIVE"] = LIVE
    created_at: datetime


class EndpointReply(Wire):
    """An endpoint."""

    id: str
    name: str
    project_id: str
    endpoint_type: Literal["ENDPOINT_TYPE_DEDICATED"] = "ENDPOINT_TYPE_DEDICATED"
    visibility: Visibility
    deployments: list[DeploymentSummary]
    traffic_split: list[TrafficShare]
    etag: str
    created_at: datetime
    updated_at: datetime


class DeploymentStatus(Wire):
    """How far a deployment is."""

    state: State
    message: str
    ready_replicas: int
    scheduled_replicas: int


class DeploymentReply(Wire):
    """A deployment."""

    id: str
    name: str
    endpoint_id: str
    project_id: str
    model: str
    model_id: str
    model_revision_id: str
    config: str = "default"
    config_id: str = "default"
    hardware: str = "any"
    autoscaling: Autoscaling
    inactive_timeout: int
    max_concurrent_requests_per_replica: str | None
    placement: dict[str, Any] | None
    desired_replicas: int
    estimated_effective_traffic_share: float
    status: DeploymentStatus
    traffic_mode: Literal["TRAFFIC_MODE_LIVE"] = LIVE
    etag: str
    created_at: datetime
    updated_at: datetime


class Gone(Wire):
    """What is left of what was deleted."""
