// See switch.hpp. System V ABI, AMD64 supplement, "Registers"; AAPCS64, "Parameter passing";
// makecontext(3) for every other processor.
#include "kernel/simulated/strands/switch.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#if (defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__)
#define IOLITE_SWITCH_BY_HAND 1
#endif
#if defined(IOLITE_UCONTEXT)  // to test the other way
#undef IOLITE_SWITCH_BY_HAND
#endif

#if defined(IOLITE_SWITCH_BY_HAND)

extern "C" {
void iolite_switch_stack(void** from, void* to) noexcept;
void iolite_begin_stack() noexcept;
}

#if defined(__x86_64__)

asm(R"(
.text
.p2align 4
.hidden iolite_switch_stack
.globl iolite_switch_stack
.type iolite_switch_stack,@function
iolite_switch_stack:
.cfi_startproc
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.cfi_endproc
.size iolite_switch_stack,.-iolite_switch_stack

.p2align 4
.hidden iolite_begin_stack
.globl iolite_begin_stack
.type iolite_begin_stack,@function
iolite_begin_stack:
.cfi_startproc
.cfi_undefined rip
  movq %r12, %rdi
  callq *%r13
  ud2
.cfi_endproc
.size iolite_begin_stack,.-iolite_begin_stack
)");

#else

asm(R"(
.text
.p2align 4
.hidden iolite_switch_stack
.globl iolite_switch_stack
.type iolite_switch_stack,%function
iolite_switch_stack:
.cfi_startproc
  hint #34
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.cfi_endproc
.size iolite_switch_stack,.-iolite_switch_stack

.p2align 4
.hidden iolite_begin_stack
.globl iolite_begin_stack
.type iolite_begin_stack,%function
iolite_begin_stack:
.cfi_startproc
.cfi_undefined x30
  mov x0, x19
  blr x20
  brk #1
.cfi_endproc
.size iolite_begin_stack,.-iolite_begin_stack
)");

#endif

namespace iolite::simulated {
namespace {

// A shadow stack knows where calls return to, and this returns elsewhere.
void refuse_shadow_stacks() noexcept {
#if defined(__x86_64__)
  std::uint64_t shadow = 0;
  asm volatile("rdsspq %0" : "+r"(shadow));  // does nothing where there is none
  if (shadow == 0) return;
  std::fputs(  // tidy: allow output, the program ends here
      "iolite: a simulated world cannot run under a shadow stack (GLIBC_TUNABLES)\n", stderr);
  std::abort();
#endif
}

}  // namespace

// The registers as iolite_switch_stack() takes them off, and where it returns to.
void* prepare_stack(std::span<std::byte> memory, void (*enter)(void*), void* argument) {
  refuse_shadow_stacks();
  auto* const top = reinterpret_cast<void**>(memory.data() + memory.size());  // aligned
  const auto begin = reinterpret_cast<void*>(iolite_begin_stack);
  const auto function = reinterpret_cast<void*>(enter);
#if defined(__x86_64__)
  // After the return address the stack is aligned to 16 bytes.
  void** const lowest = top - 9;
  void* const registers[] = {nullptr, nullptr, function, argument, nullptr, nullptr, begin};
#else
  void** const lowest = top - 20;
  void* const registers[] = {argument, function, nullptr, nullptr, nullptr, nullptr,
                             nullptr,  nullptr,  nullptr, nullptr, nullptr, begin};
#endif
  for (std::size_t i = 0; i < std::size(registers); ++i) lowest[i] = registers[i];
  return static_cast<void*>(lowest);
}

void* prepare_own_stack() { return nullptr; }
void forget_stack(void*) noexcept {}
__attribute__((no_sanitize("thread"))) void switch_stack(void*& from, void* to) noexcept {
  iolite_switch_stack(&from, to);
}

}  // namespace iolite::simulated

#else

#include <ucontext.h>

namespace iolite::simulated {
namespace {

struct context {
  ucontext_t registers{};
  void (*enter)(void*) = nullptr;
  void* argument = nullptr;
};

// makecontext(3) passes integers only.
void enter_context(unsigned high, unsigned low) {
  const auto address = static_cast<std::uintptr_t>(std::uint64_t{high} << 32 | low);
  auto* const c = reinterpret_cast<context*>(address);
  c->enter(c->argument);
}

}  // namespace

void* prepare_stack(std::span<std::byte> memory, void (*enter)(void*), void* argument) {
  auto* const c = new context{.enter = enter, .argument = argument};
  ::getcontext(&c->registers);
  c->registers.uc_stack.ss_sp = memory.data();
  c->registers.uc_stack.ss_size = memory.size();
  const std::uint64_t address = reinterpret_cast<std::uintptr_t>(c);
  ::makecontext(&c->registers, reinterpret_cast<void (*)()>(enter_context), 2,
                static_cast<unsigned>(address >> 32), static_cast<unsigned>(address));
  return c;
}

void* prepare_own_stack() { return new context; }
void forget_stack(void* saved) noexcept { delete static_cast<context*>(saved); }
__attribute__((no_sanitize("thread"))) void switch_stack(void*& from, void* to) noexcept {
  ::swapcontext(&static_cast<context*>(from)->registers, &static_cast<context*>(to)->registers);
}

}  // namespace iolite::simulated

#endif
