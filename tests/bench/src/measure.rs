//! One run of one command: wall time, CPU seconds, peak memory, and what else used the CPU.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4 as _;

/// The unit of times in `/proc`: USER_HZ, which is 100 on every architecture Linux still has.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: f64,
    /// User and system seconds of the command.
    pub(crate) cpu: f64,
    /// In bytes.
    pub(crate) peak: u64,
    /// CPU seconds of the registries meanwhile.
    pub(crate) registry: f64,
    /// CPU seconds of everything else meanwhile.
    pub(crate) others: f64,
    /// Bytes of the files that it left; 0 if nobody looked.
    pub(crate) written: u64,
}

/// Writes dirty pages, then runs the command; its failure is an error.
pub(crate) fn measure(command: &mut Command, registries: &[u32]) -> Result<Sample> {
    let program = command.get_program().to_string_lossy().into_owned();
    rustix::fs::sync();
    let machine_before = busy()?;
    let registry_before = used_by_all(registries)?;
    let started = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let mut child = child;
    let mut stderr = child.stderr.take();
    let ended = child.wait4().with_context(|| format!("cannot wait for {program}"))?;
    let wall = started.elapsed().as_secs_f64();
    let cpu = (ended.rusage.utime + ended.rusage.stime).as_secs_f64();
    let registry_used = used_by_all(registries)? - registry_before;
    let machine = busy()? - machine_before;
    if !ended.status.success() {
        let mut told = String::new();
        if let Some(stderr) = &mut stderr {
            let _ = std::io::Read::read_to_string(stderr, &mut told);
        }
        bail!("{program} failed: {}\n{told}", ended.status);
    }
    let others = (machine - registry_used - cpu).max(0.0);
    Ok(Sample {
        wall,
        cpu,
        peak: ended.rusage.maxrss,
        registry: registry_used,
        others,
        written: 0,
    })
}

/// The largest amount of memory this program held so far, in bytes.
pub(crate) fn own_peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let kilobytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().split(' ').next())
        .and_then(|number| number.parse().ok())
        .context("/proc/self/status has no VmHWM")?;
    Ok(kilobytes * 1024)
}

/// CPU seconds that the whole machine spent on anything since it started.
fn busy() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|number| number.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let [user, nice, system, _idle, _waiting, irq, softirq, ..] = ticks[..] else {
        bail!("/proc/stat begins with {line:?}");
    };
    Ok((user + nice + system + irq + softirq) / TICKS_PER_SECOND)
}

/// CPU seconds of these processes since they started.
fn used_by_all(processes: &[u32]) -> Result<f64> {
    processes.iter().map(|process| used_by(*process)).sum()
}

/// CPU seconds of a process since it started.
fn used_by(process: u32) -> Result<f64> {
    let file = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    // The name in parentheses may hold blanks; the numbers begin after its end.
    let (_, numbers) = stat.rsplit_once(')').with_context(|| format!("{file} is {stat:?}"))?;
    let ticks = |position: usize| -> Option<f64> { numbers.split_whitespace().nth(position)?.parse().ok() };
    let (user, system) = (ticks(11), ticks(12));
    let both = user.zip(system).with_context(|| format!("{file} is {stat:?}"))?;
    Ok((both.0 + both.1) / TICKS_PER_SECOND)
}

/// A run is short below this, and is then repeated more often.
pub(crate) const SHORT: Duration = Duration::from_millis(100);
