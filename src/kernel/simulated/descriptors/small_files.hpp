// eventfd(2), pipe(2), pidfd_open(2).
#pragma once
#include "kernel/simulated/descriptors/file.hpp"
#include "kernel/simulated/sockets/bytes.hpp"

namespace iolite::simulated {

class event_file final : public file {
 public:
  event_file(site& of, std::uint64_t count, bool semaphore) noexcept
      : file(of), count_(count), semaphore_(semaphore) {}
  [[nodiscard]] short readiness() const override;
  long read(std::span<std::byte> into) override;
  long write(std::span<const std::byte> from) override;
  [[nodiscard]] std::string describe() const override { return "eventfd"; }

 private:
  static constexpr std::uint64_t count_max = ~std::uint64_t{0} - 1;
  std::uint64_t count_;
  const bool semaphore_;
};

class pipe_end final : public file {
 public:
  pipe_end(site& of, bool reads) noexcept : file(of), reads_(reads) {}
  static void join(const std::shared_ptr<pipe_end>& reader,
                   const std::shared_ptr<pipe_end>& writer);
  [[nodiscard]] short readiness() const override;
  long read(std::span<std::byte> into) override;
  long write(std::span<const std::byte> from) override;
  void closed() override;
  // For splice(2): what is there, which stays; how much may be written. As read and write.
  long peek(std::span<std::byte> into) const;
  [[nodiscard]] long room() const;
  [[nodiscard]] bool sends_signals() const noexcept override { return true; }
  [[nodiscard]] unsigned mode_type() const noexcept override { return S_IFIFO; }
  [[nodiscard]] std::string describe() const override {
    return reads_ ? "pipe (reading end)" : "pipe (writing end)";
  }

 private:
  static constexpr std::size_t capacity = 65536;
  static constexpr std::size_t atomic_bytes = 4096;  // PIPE_BUF: written whole or not at all
  const bool reads_;
  std::shared_ptr<byte_queue> bytes_;
  std::weak_ptr<pipe_end> other_;
};

// A process, which may have ended.
class process_file final : public file {
 public:
  process_file(site& of, bool ended) noexcept : file(of), ended_(ended) {}
  [[nodiscard]] short readiness() const override { return ended_ ? POLLIN : 0; }
  [[nodiscard]] std::string describe() const override { return "pidfd"; }
  void end() {
    ended_ = true;
    changed(POLLIN);
  }

 private:
  bool ended_;
};

}  // namespace iolite::simulated
