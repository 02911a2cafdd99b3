//! What is printed.

use std::fs;

use anyhow::{Context, Result};

use crate::measure::Sample;
use crate::peers::Peers;
use crate::statistics::median;
use crate::work::{Limits, Measured, Work};

/// Prints one line.
#[expect(clippy::print_stdout, reason = "the one place of this program that prints")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Says what the figures were taken on.
pub(crate) fn machine(peers: &Peers) -> Result<()> {
    let load = fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg")?;
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    line(&format!("{processors} processors, load {}", load.trim()));
    line(&format!("against {}", peers.skopeo_version));
    Ok(())
}

/// Prints one row's medians and returns how many limits they miss.
pub(crate) fn rows(work: &Work, measured: &Measured) -> usize {
    let skopeo = Medians::of(&measured.skopeo);
    let ours = Medians::of(&measured.longshore);
    line(&format!(
        "{:<26} {:>8} {:>22} {:>8} {:>20} {:>18} {:>9} {:>17}",
        format!("{} runs, medians", measured.skopeo.len()),
        "wall s",
        "ratio",
        "CPU s",
        "ratio",
        "peak MiB",
        "registry",
        "others (most)"
    ));
    line(&skopeo.shown("skopeo", ["", "", ""]));
    let limits = &work.limits;
    let mut missed = ours.judged("longshore", &skopeo, limits, limits.wall);
    if let Some(wall) = limits.unsafe_wall {
        let unsafe_ours = Medians::of(&measured.without_sync);
        missed += unsafe_ours.judged("longshore --no-sync", &skopeo, limits, wall);
    }
    if skopeo.written > 0.0 {
        line(&format!(
            "written: {:.3} of skopeo's bytes",
            ours.written / skopeo.written
        ));
    }
    missed
}

/// Prints what one copy takes through components and with native plugins, and returns whether the first misses its limit.
pub(crate) fn price(name: &str, components: &[Sample], native: &[Sample], limit: f64) -> bool {
    let (components, native) = (Medians::of(components), Medians::of(native));
    let ratio = components.wall / native.wall;
    let missed = ratio > limit;
    line(&format!(
        "{name:<26} wall {:.4} s, native {:.4} s: {ratio:.3} <= {limit:.2} {}; CPU {:.3} s, native {:.3} s; others {:.2} s",
        components.wall,
        native.wall,
        if missed { "MISSED" } else { "ok" },
        components.cpu,
        native.cpu,
        components.most_others.max(native.most_others),
    ));
    missed
}

struct Medians {
    wall: f64,
    cpu: f64,
    peak: f64,
    registry: f64,
    others: f64,
    most_others: f64,
    written: f64,
}

impl Medians {
    fn of(samples: &[Sample]) -> Self {
        let of = |take: fn(&Sample) -> f64| median(samples.iter().map(take));
        Self {
            wall: of(|sample| sample.wall),
            cpu: of(|sample| sample.cpu),
            peak: of(|sample| sample.peak as f64 / f64::from(1 << 20)),
            registry: of(|sample| sample.registry),
            others: of(|sample| sample.others),
            written: of(|sample| sample.written as f64),
            most_others: samples.iter().map(|sample| sample.others).fold(0.0, f64::max),
        }
    }

    /// Prints the medians against skopeo's and returns how many limits they miss.
    fn judged(&self, who: &str, skopeo: &Self, limits: &Limits, wall: f64) -> usize {
        let verdicts = [
            (self.wall / skopeo.wall, Some(wall)),
            (self.cpu / skopeo.cpu, limits.cpu),
            (self.peak, Some(limits.peak)),
        ];
        let shown = verdicts.map(|(value, limit)| match limit {
            Some(limit) if value <= limit => format!("{value:.2} <= {limit:.2} ok"),
            Some(limit) => format!("{value:.2} <= {limit:.2} MISSED"),
            None => format!("{value:.2}"),
        });
        line(&self.shown(who, [&shown[0], &shown[1], &shown[2]]));
        let missed = |(value, limit): &&(f64, Option<f64>)| limit.is_some_and(|limit| *value > limit);
        verdicts.iter().filter(missed).count()
    }

    fn shown(&self, who: &str, [wall, cpu, peak]: [&str; 3]) -> String {
        let peak = if peak.is_empty() {
            format!("{:.2}", self.peak)
        } else {
            peak.to_owned()
        };
        format!(
            "{who:<26} {:>8.3} {wall:>22} {:>8.3} {cpu:>20} {peak:>18} {:>9.2} {:>8.2} ({:.2})",
            self.wall, self.cpu, self.registry, self.others, self.most_others
        )
    }
}
