#pragma once

#include <nanobind/nanobind.h>

#include "program.h"

void bind_rwkv(nanobind::module_& m, nanobind::class_<engine::Program>& program);
