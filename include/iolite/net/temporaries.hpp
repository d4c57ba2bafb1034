// Temporaries in the arguments of an operation: which ones it keeps until it is over, and how.
#pragma once
#include "iolite/core/buffer.hpp"

#include <concepts>
#include <cstddef>
#include <ranges>
#include <span>
#include <string_view>
#include <type_traits>

namespace iolite::detail {

// A temporary that owns its elements and keeps them when it is moved.
template <class T>
concept owning =
    std::is_class_v<T> && !std::is_const_v<T> && !std::ranges::enable_borrowed_range<T>;
template <class T>
concept owning_text = owning<T> && std::convertible_to<T&, std::string_view>;
template <class T>
concept owning_bytes =
    owning_text<T> || (owning<T> && std::convertible_to<T&, std::span<const std::byte>>);
template <class T>
concept owning_pieces = owning<T> && std::convertible_to<T&, std::span<const piece>>;

template <owning_bytes T>
[[nodiscard]] std::span<const std::byte> bytes_in(T& kept) {
  if constexpr (owning_text<T>) return std::as_bytes(std::span(std::string_view(kept)));
  else return kept;
}

// Where text is received: a std::string that stays, an array of char.
template <class T>
concept text_buffer = std::convertible_to<T, std::span<char>>;

// A base that is constructed before the operation that refers to it.
template <class T>
struct kept {
  T value;
};

}  // namespace iolite::detail
