//! Child processes that cannot outlive the run: killed when dropped, and by the kernel should this process be killed.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running server, its output in a file.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`. To be called from the main thread only: the kernel ends the child when the *thread* ends.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl(2) is one system call and
        // allocates nothing.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL and returns at once.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))
    }

    /// Sends SIGTERM and waits for the end of the process.
    ///
    /// # Errors
    /// When it is still there after `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Result<Duration> {
        let started = Instant::now();
        kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM)
            .with_context(|| format!("cannot signal {}", self.name))?;
        while self.child.try_wait()?.is_none() {
            if started.elapsed() > limit {
                bail!("{} did not stop within {limit:?}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(started.elapsed())
    }

    /// Waits for a killed process to be gone.
    pub fn reap(&mut self) -> Result<()> {
        self.child.wait().map(drop).with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Name and last lines of output, for messages about what went wrong.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n    ");
        format!("{}:\n    {tail}", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a child has ended, without collecting its status.
pub fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// Loopback addresses that nobody listens on at the moment.
pub fn free_addresses(count: usize) -> Result<Vec<SocketAddr>> {
    // All held at once, so that no two are the same.
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<_>>()?;
    Ok(held.iter().map(TcpListener::local_addr).collect::<std::io::Result<_>>()?)
}

/// Asks `check` again and again until it says yes.
///
/// # Errors
/// When it still does not after `limit`, or one of the processes `pids` has ended.
pub async fn wait_until<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    pids: &[u32],
    mut check: impl FnMut() -> F,
) -> Result<Duration> {
    let started = Instant::now();
    while !check().await {
        if let Some(pid) = pids.iter().find(|pid| has_ended(**pid)) {
            bail!("process {pid} ended while waiting until {what}");
        }
        if started.elapsed() > limit {
            bail!("waited {limit:?} in vain until {what}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(started.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", "echo started; exec sleep 600"]);
        Process::start("sleeper", &mut command, &dir.join("log")).unwrap()
    }

    #[tokio::test]
    async fn a_dropped_process_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let process = sleeper(dir.path());
        let pid = process.pid();
        assert!(!has_ended(pid));
        wait_until("it wrote", Duration::from_secs(10), &[pid], || async { process.last_words().contains("started") })
            .await
            .unwrap();
        drop(process);
        assert!(has_ended(pid));
    }

    #[tokio::test]
    async fn waiting_ends_when_a_process_ends_or_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = sleeper(dir.path());
        let pid = process.pid();
        let short = Duration::from_millis(50);
        assert!(
            wait_until("never", short, &[pid], || async { false }).await.unwrap_err().to_string().contains("in vain")
        );
        process.terminate(Duration::from_secs(10)).await.unwrap();
        let ended = wait_until("never", Duration::from_secs(60), &[pid], || async { false }).await.unwrap_err();
        assert!(ended.to_string().contains("ended while waiting"), "{ended}");
    }

    #[test]
    fn free_addresses_differ() {
        let mut addresses = free_addresses(16).unwrap();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), 16);
    }
}
