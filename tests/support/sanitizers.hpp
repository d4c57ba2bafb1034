// Which sanitizer this build has: GCC says it by macros, Clang by features.
#pragma once

#if !defined(__has_feature)
#define __has_feature(feature) 0
#endif

namespace iolite_test {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif

}  // namespace iolite_test
