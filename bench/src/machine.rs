//! What the numbers were taken on, and what else was running meanwhile. Everything comes from `/proc` and `/sys`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// A description of the machine, taken at run time, so that a table of results carries it along.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_gib: f64,
    pub kernel: String,
    /// File system type and device that hold the data directories of both systems.
    pub disk: String,
    /// One append of 4 KiB and `fdatasync`, alone on the disk: the physical floor of a durable answer, in µs.
    pub fdatasync_p50_us: u32,
    pub fdatasync_p99_us: u32,
    pub load_before: f64,
    pub quorate: String,
    pub etcd: String,
}

impl Machine {
    /// Looks around. `work` is the directory that will hold the data of both systems.
    pub fn describe(work: &Path, quorate: Option<&Path>, etcd: Option<&Path>) -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned()));
        let (fdatasync_p50_us, fdatasync_p99_us) = fdatasync(work)?;
        Ok(Self {
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: meminfo_kib("MemTotal").unwrap_or(0) as f64 / (1 << 20) as f64,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            disk: file_system(work),
            fdatasync_p50_us,
            fdatasync_p99_us,
            load_before: load_average()?,
            quorate: version(quorate),
            etcd: version(etcd),
        })
    }
}

fn version(binary: Option<&Path>) -> String {
    let Some(binary) = binary else {
        return "not measured".to_owned();
    };
    let output = Command::new(binary).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// Type and source of the file system that `path` is on.
fn file_system(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let found = fields.filter(|(_, at, _)| path.starts_with(at)).max_by_key(|(_, at, _)| at.len());
    found.map_or_else(|| "unknown".to_owned(), |(source, _, kind)| format!("{kind} on {source}"))
}

/// Whether `path` is on a file system that keeps nothing, where a flush costs nothing and a comparison is worth nothing.
pub fn is_memory_only(path: &Path) -> bool {
    nix::sys::statfs::statfs(path).is_ok_and(|stat| stat.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC)
}

/// p50 and p99 of appending 4 KiB and flushing it, in µs.
fn fdatasync(dir: &Path) -> Result<(u32, u32)> {
    let mut file = tempfile::tempfile_in(dir).context("cannot write to the work directory")?;
    let mut taken = Vec::with_capacity(200);
    for _ in 0..200 {
        let started = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        taken.push(micros(started.elapsed()));
    }
    taken.sort_unstable();
    Ok((percentile(&taken, 0.5), percentile(&taken, 0.99)))
}

/// A duration in whole microseconds; over an hour counts as an hour.
pub fn micros(taken: Duration) -> u32 {
    u32::try_from(taken.as_micros()).unwrap_or(u32::MAX)
}

/// The value below which the share `p` of the sorted samples lies; 0 without samples.
pub fn percentile(sorted: &[u32], p: f64) -> u32 {
    let rank = (sorted.len() as f64 * p).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// The load average of the last minute.
pub fn load_average() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").context("/proc/loadavg")?;
    text.split(' ').next().and_then(|first| first.parse().ok()).context("/proc/loadavg has no number")
}

/// Waits until the load average is at most `limit`, for at most `patience`.
///
/// # Errors
/// When it is still higher: numbers taken beside other work say nothing.
pub async fn wait_for_quiet(limit: f64, patience: Duration) -> Result<()> {
    let started = Instant::now();
    let mut told = false;
    loop {
        let load = load_average()?;
        if load <= limit {
            return Ok(());
        }
        if started.elapsed() >= patience {
            bail!("other work is running: load average {load} is over {limit}; wait, raise --max-load, or use --force");
        }
        if !std::mem::replace(&mut told, true) {
            eprintln!("waiting up to {} s for the load average to fall from {load} to {limit}", patience.as_secs());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// Memory that can be given out without swapping, in bytes.
pub fn available_memory() -> u64 {
    meminfo_kib("MemAvailable").unwrap_or(0) << 10
}

fn meminfo_kib(name: &str) -> Option<u64> {
    kib_line(&fs::read_to_string("/proc/meminfo").ok()?, name)
}

/// Resident memory of a process, in bytes.
pub fn resident(pid: u32) -> Option<u64> {
    Some(kib_line(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS")? << 10)
}

/// The number of a `Name:   123 kB` line.
fn kib_line(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes that the files below `dir` take up on disk.
pub fn disk_usage(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_usage(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// Whose processor time is told apart while a load runs.
#[derive(Debug, Clone, Default)]
pub struct Pids {
    /// The servers under load.
    pub servers: Vec<u32>,
    /// Servers of ours that should be idle meanwhile.
    pub idle: Vec<u32>,
}

/// Processor time used up to one moment, in clock ticks.
#[derive(Debug, Clone, Copy)]
pub struct CpuClock {
    at: Instant,
    busy: u64,
    client: u64,
    servers: u64,
    idle_servers: u64,
}

/// Processor time used between two moments, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuUse {
    pub servers: f64,
    pub client: f64,
    /// What neither the load generator nor any server of ours used, as a share of all cores.
    pub other_share: f64,
}

impl CpuClock {
    pub fn read(pids: &Pids) -> Self {
        let sum = |pids: &[u32]| pids.iter().map(|pid| process_ticks(&format!("/proc/{pid}/stat"))).sum();
        Self {
            at: Instant::now(),
            busy: busy_ticks(),
            client: process_ticks("/proc/self/stat"),
            servers: sum(&pids.servers),
            idle_servers: sum(&pids.idle),
        }
    }

    pub fn since(&self, earlier: &Self) -> CpuUse {
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
        let seconds = |now: u64, then: u64| now.saturating_sub(then) as f64 / per_second;
        let (servers, client) = (seconds(self.servers, earlier.servers), seconds(self.client, earlier.client));
        let other =
            seconds(self.busy, earlier.busy) - servers - client - seconds(self.idle_servers, earlier.idle_servers);
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let elapsed = self.at.duration_since(earlier.at).as_secs_f64().max(0.001);
        CpuUse { servers, client, other_share: (other / (elapsed * cores)).clamp(0.0, 1.0) }
    }
}

/// User and system time of a process; 0 when it is gone.
fn process_ticks(stat: &str) -> u64 {
    let text = fs::read_to_string(stat).unwrap_or_default();
    // The name in parentheses may hold anything; fields 14 and 15 are counted from behind it.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Time that all processors spent on work: user, nice, system, irq, softirq, and stolen by the host.
fn busy_ticks() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let numbers: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    [0, 1, 2, 5, 6, 7].iter().filter_map(|column| numbers.get(*column)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let samples: Vec<u32> = (1..=100).collect();
        assert_eq!((percentile(&samples, 0.5), percentile(&samples, 0.99), percentile(&samples, 1.0)), (50, 99, 100));
        assert_eq!((percentile(&[7], 0.5), percentile(&[], 0.5)), (7, 0));
    }

    #[test]
    fn own_work_is_seen_as_the_clients_and_not_as_foreign() {
        let before = CpuClock::read(&Pids::default());
        let started = Instant::now();
        let mut sum = 0u64;
        while started.elapsed() < Duration::from_millis(300) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
        }
        let used = CpuClock::read(&Pids::default()).since(&before);
        // Half of it at least, even if other work shares the processor.
        assert!(used.client > 0.05, "{used:?}");
        assert_eq!(used.servers, 0.0);
    }

    #[test]
    fn resident_memory_is_that_of_the_process() {
        let own = std::process::id();
        let before = resident(own).unwrap();
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let grown = resident(own).unwrap() - before;
        assert!(grown > 48 << 20, "grew by {grown} with {} more", block.len());
        assert_eq!(resident(u32::MAX), None);
    }

    #[test]
    fn disk_usage_counts_nested_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        let mut file = fs::File::create(dir.path().join("a/b")).unwrap();
        file.write_all(&vec![1; 100_000]).unwrap();
        file.sync_all().unwrap();
        assert!((100_000..200_000).contains(&disk_usage(dir.path())));
    }
}
