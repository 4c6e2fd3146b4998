#pragma once

#include <nanobind/nanobind.h>

#include "program.h"

void bind_experts(nanobind::module_& m, nanobind::class_<engine::Program>& program);
