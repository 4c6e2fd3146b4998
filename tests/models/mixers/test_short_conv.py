"""The short convolution: its forms agree, and it is that of `transformers`' LFM2."""

from __future__ import annotations

import pytest
import torch
from transformers import Lfm2Config
from transformers.models.lfm2.modeling_lfm2 import Lfm2ShortConv

from openhearth.models import ShortConv
from tests.models.mixers.forms import WIDTH, check_forms, check_same_layer, random_mixer


@pytest.mark.parametrize("config", [ShortConv(), ShortConv(kernel=5, bias=True)])
def test_forms_agree(config: ShortConv) -> None:
    check_forms(random_mixer(config), config)


@torch.inference_mode()
@pytest.mark.parametrize("bias", [False, True])
def test_is_that_of_lfm2(bias: bool) -> None:
    ours = random_mixer(ShortConv(kernel=4, bias=bias))
    theirs = Lfm2ShortConv(Lfm2Config(hidden_size=WIDTH, conv_L_cache=4, conv_bias=bias), 0)
    names = {"in_proj": "into", "conv": "conv", "out_proj": "out"}
    check_same_layer(ours, theirs, names)
