//! The main job, run offline: an image is made, copied between three transports, inspected,
//! checked by code that shares nothing with the program, deleted, and refused once altered.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use longshore_tests::{
    Checked, Finished, ImageSpec, Layer, MadeImage, Packing, Scratch, TestRegistry, check_dir, check_layout,
    check_repository, entries, files_below,
};

#[expect(clippy::print_stdout, reason = "the one place of this program that prints")]
fn say(text: &str) {
    println!("{text}");
}

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("\nFAILED: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A demonstration in progress.
struct Demo {
    scratch: Scratch,
    registry: TestRegistry,
    image: MadeImage,
}

fn demo() -> Result<()> {
    let demo = Demo::begin()?;
    demo.three_transports()?;
    demo.nothing_twice()?;
    demo.look()?;
    demo.other_platform()?;
    demo.altered()?;
    say("\nDone: every digest and size was as it should be.");
    Ok(())
}

impl Demo {
    fn begin() -> Result<Self> {
        let other = if std::env::consts::ARCH == "aarch64" {
            "amd64"
        } else {
            "arm64"
        };
        let layers = [
            Layer::new(1, 2_000_000),
            Layer::new(2, 300_000).packed(Packing::Zstd),
            Layer::new(3, 5_000),
        ];
        let image = ImageSpec::new(layers).and_platform("linux", other).make()?;
        let scratch = Scratch::new()?;
        image.write_layout(&scratch.path("made"), "demo")?;
        say("Made an OCI layout with one image index:");
        say(&format!("  {} {}", image.top.digest, scratch.name("oci", "made:demo")));
        for instance in &image.instances {
            let (os, architecture) = instance.platform.clone().unwrap_or_default();
            let layers = instance.json()["layers"].as_array().map_or(0, Vec::len);
            say(&format!("  {} {os}/{architecture}, {layers} layers", instance.digest));
        }
        Ok(Self {
            scratch,
            registry: TestRegistry::start()?,
            image,
        })
    }

    fn three_transports(&self) -> Result<()> {
        let here = &self.image.instances[0].digest;
        let made = self.scratch.name("oci", "made:demo");
        let folder = self.scratch.name("dir", "folder");
        let pushed = self.registry.name("demo/image:v1");
        let back = self.scratch.name("oci", "back:demo");
        say("\nThis machine's instance goes oci: -> dir: -> docker: -> oci:");
        self.run(&["copy", &made, &folder])?;
        same(&check_dir(&self.scratch.path("folder"))?, here)?;
        self.run(&["copy", "--dest-tls-verify=false", &folder, &pushed])?;
        same(&check_repository(&self.registry, "demo/image", "v1")?, here)?;
        self.run(&["copy", "--src-tls-verify=false", &pushed, &back])?;
        same(&check_layout(&self.scratch.path("back"), "demo")?, here)
    }

    fn nothing_twice(&self) -> Result<()> {
        say("\nWhat is already there is not sent again:");
        let sent = || self.registry.requests_to("PATCH", "/blobs/uploads/").len();
        let before = sent();
        let folder = self.scratch.name("dir", "folder");
        let pushed = self.registry.name("demo/image:v2");
        self.run(&["copy", "--quiet", "--dest-tls-verify=false", &folder, &pushed])?;
        ensure!(sent() == before, "{} blobs were sent again", sent() - before);
        say(&format!("  ok: {before} blobs were sent before, none now"));
        Ok(())
    }

    fn look(&self) -> Result<()> {
        say("\nInspecting:");
        let pushed = self.registry.name("demo/image:v1");
        let report = self.run(&["inspect", "--tls-verify=false", &pushed])?;
        let here = &self.image.instances[0].digest;
        ensure!(report.stdout().contains(here.as_str()), "inspect does not say {here}");
        let repository = self.registry.name("demo/image");
        let tags = self.run(&["list-tags", "--tls-verify=false", &repository])?;
        ensure!(tags.stdout().contains("v2"), "list-tags does not say v2");
        let manifest = self.scratch.path("folder/manifest.json");
        let digest = self.run(&["manifest-digest", &manifest.display().to_string()])?;
        ensure!(digest.stdout().trim() == here, "manifest-digest does not say {here}");
        Ok(())
    }

    fn other_platform(&self) -> Result<()> {
        let instance = &self.image.instances[1];
        let (os, architecture) = instance.platform.clone().unwrap_or_default();
        say(&format!(
            "\nThe instance for {os}/{architecture} joins the same layout, and leaves it:"
        ));
        let made = self.scratch.name("oci", "made:demo");
        let joined = self.scratch.name("oci", "back:other");
        let layout = self.scratch.path("back");
        self.run(&["--override-arch", &architecture, "copy", "--quiet", &made, &joined])?;
        same(&check_layout(&layout, "other")?, &instance.digest)?;
        self.run(&["delete", &joined])?;
        let left = entries(&layout)?;
        ensure!(left.len() == 1, "the layout's entries are {left:?}");
        same(&check_layout(&layout, "demo")?, &self.image.instances[0].digest)
    }

    fn altered(&self) -> Result<()> {
        say("\nOne byte of a layer is altered in the folder; the copy must refuse it:");
        let layer = self.image.layers(0).pop().context("the image has no layer")?;
        let name = layer.trim_start_matches("sha256:").to_owned();
        alter(&self.scratch.path("folder").join(name))?;
        let folder = self.scratch.name("dir", "folder");
        let refused = self.start(&["copy", "--quiet", &folder, &self.scratch.name("oci", "new:x")]);
        ensure!(refused.status() == Some(1), "it was not refused\n{}", refused.story());
        say(&indented(&refused.stderr()));
        let left = files_below(&self.scratch.path("new"))?;
        ensure!(
            !left.contains_key(Path::new("index.json")),
            "the altered image has a name"
        );
        say("  ok: refused, and nothing of it can be seen at the destination");
        Ok(())
    }

    /// Runs the program, shows what it did, and expects success.
    fn run(&self, arguments: &[&str]) -> Result<Finished> {
        let finished = self.start(arguments);
        if finished.status() != Some(0) {
            bail!("{}", finished.story());
        }
        for output in [finished.stderr(), finished.stdout()] {
            if !output.is_empty() {
                say(&indented(&output));
            }
        }
        Ok(finished)
    }

    fn start(&self, arguments: &[&str]) -> Finished {
        let tool = self.scratch.longshore().args(arguments);
        say(&format!("$ {}", tool.shown()));
        tool.run()
    }
}

/// Expects the image that was checked to be the one with this digest.
fn same(checked: &Checked, digest: &str) -> Result<()> {
    ensure!(
        checked.digest == digest,
        "it arrived as {}, not {digest}",
        checked.digest
    );
    let layers = checked.layers.len();
    say(&format!(
        "  ok: {digest}, its config and {layers} layers recomputed from what is stored"
    ));
    Ok(())
}

fn alter(file: &Path) -> Result<()> {
    let mut bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
