// Data that no run of a minute gives: many models, growth curves, and strings that mean harm.
export const harm = `</script><img src=x onerror="window.harmed=1"><b>"'&amp;\u2028{{7*7}}\${1}\u0000`;

function row(model, at) {
  return {
    model,
    workload: "echo",
    requests: 1_000_000,
    seconds: 2.4,
    requests_per_second: 90_000 - 1000 * at,
    latency_us: { p50: 90 + at, p90: 120 + at, p99: 310 + at, p99_9: 900 + 40 * at, max: 12_000 + at },
    percentiles: [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999].map((q, i) => [q, 60 + at + 2 ** i]),
    server: {
      cpu_us_per_request: 9 + at / 4,
      user_us_per_request: 2,
      sys_us_per_request: 7 + at / 4,
      syscalls_per_request: 2.3,
      context_switches_per_request: 0.01 * at,
      rss_bytes: 5_000_000 + 100_000 * at,
      threads: 1 + at,
    },
    errors: 0,
    rounds: 3,
    spread_percent: 3,
    syscalls_by_kind: { recv: 1.1, send: 1, [at % 2 ? "epoll_wait" : "poll"]: 0.2, rare: 0.001 },
    available: true,
    reason: "",
  };
}

const names = ["blocking/thread", "blocking/process", "blocking/pool", "nonblocking/shared", "select/shared",
  "poll/shared", "epoll/shared", "signal/shared", "posix_aio/shared", "io_uring/shared", "epoll/pool"];

export function manyModels() {
  const rows = names.map(row);
  const missing = { model: "kqueue/shared", workload: "echo", available: false, reason: "not on Linux" };
  const points = (slope) => [10, 100, 1000, 10_000].map((x) => [x, 9 + (slope * x) / 100]);
  const curves = [
    {
      title: "Idle connections",
      x: "idle connections",
      y: "server CPU, µs a request",
      series: [{ model: "epoll/shared", points: points(0) }, { model: "select/shared", points: points(1) }],
    },
  ];
  return { rows: [...rows, missing], curves };
}

// Every string that comes from a server or a machine, and the names of members, mean harm.
export function harmful(report) {
  const spoil = (value, name) => {
    if (typeof value === "string" && !["lane", "what", "waits"].includes(name)) return `${value} ${harm}`;
    if (Array.isArray(value)) return value.map((one) => spoil(one, name));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [name === "syscalls_by_kind" ? `${key}${harm}` : key, spoil(one, key)]),
    );
  };
  return { ...spoil(report, ""), command: report.command };
}
