// An open file or directory of a host's disk. It is always ready, and no epoll set takes it:
// epoll_ctl(2).
#pragma once
#include "kernel/simulated/descriptors/file.hpp"
#include "kernel/simulated/disk/disk.hpp"

namespace iolite::simulated {

class regular_file final : public file {
 public:
  regular_file(site& of, disk::content what, std::string path)
      : file(of), what_(std::move(what)), path_(std::move(path)) {}

  [[nodiscard]] short readiness() const override { return POLLIN | POLLOUT; }
  [[nodiscard]] bool can_be_watched() const noexcept override { return false; }
  [[nodiscard]] bool is_regular() const noexcept override {
    return what_->is == disk::kind::regular;
  }
  [[nodiscard]] std::string describe() const override { return "file " + path_; }
  long read(std::span<std::byte> into) override;
  long write(std::span<const std::byte> from) override;
  long read_at(std::span<std::byte> into, std::uint64_t at) override;
  long write_at(std::span<const std::byte> from, std::uint64_t at) override;
  long sync() override;
  void about(struct stat& out) const override;
  void closed() override;
  [[nodiscard]] disk::stored& stored() const noexcept { return *what_; }

  std::uint64_t position = 0;  // of the next read or write that names none

 private:
  [[nodiscard]] bool wrong(fault_kind k) { return world().goes_wrong(k, of().number); }

  const disk::content what_;
  const std::string path_;
};

}  // namespace iolite::simulated
