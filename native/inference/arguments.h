// What Python hands to the bindings, as the engine wants it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <span>

#include "operations.h"

namespace nb = nanobind;

template <class T>
using Flat = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T>
std::span<const T> span(const Flat<T>& array) {
    return {array.data(), array.size()};
}

inline std::vector<float> floats(const Flat<float>& array) { return {array.data(), array.data() + array.size()}; }

// Weights, biases or None, and what is added to the mean square.
using NormArguments = std::tuple<Flat<float>, std::optional<Flat<float>>, float>;
inline engine::Norm norm(const NormArguments& given) {
    const auto& [weight, bias, eps] = given;
    if (bias && bias->size() != weight.size()) throw nb::value_error("a norm has as many biases as weights");
    return {floats(weight), bias ? floats(*bias) : std::vector<float>(), eps};
}
inline std::optional<engine::Norm> norm(const std::optional<NormArguments>& given) {
    if (!given) return std::nullopt;
    return norm(*given);
}
