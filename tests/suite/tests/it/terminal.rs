//! `copy` as a person sees it: bars on a terminal, which Ctrl-C and another size do not break.

use longshore_tests::{
    Fault, Gate, ImageSpec, Layer, MadeImage, Scratch, Terminal, TestRegistry, Tool, When, check_layout, files_below,
};

/// An image whose second layer the registry holds back half-way, until the gate is open.
struct Slow {
    made: MadeImage,
    registry: TestRegistry,
    gate: Gate,
    scratch: Scratch,
}

impl Slow {
    fn new() -> Self {
        let layers = [Layer::new(1, 400_000), Layer::new(2, 900_000), Layer::new(3, 50)];
        let made = ImageSpec::new(layers).make().unwrap();
        let registry = TestRegistry::start().unwrap();
        made.put_into(&registry, "app", "v1");
        let gate = Gate::new();
        let held = Fault::Stall {
            after: 200_000,
            gate: gate.clone(),
        };
        registry.script(When::every("GET", &made.layers(0)[1]), held);
        let scratch = Scratch::new().unwrap();
        Self {
            made,
            registry,
            gate,
            scratch,
        }
    }

    /// Copies the image in a terminal, and waits until it shows that the second layer is on its way and the others are there.
    fn copy(&self, columns: u16) -> Terminal {
        let terminal = Terminal::start(&self.scratch, self.pull(), columns, 24).unwrap();
        terminal.wait_until("two layers that are done and one on its way", |screen| {
            let [first, third] = [0, 2].map(|layer| bar(screen, &self.layer(layer)));
            let last = screen.lines().last().unwrap_or_default();
            first.ends_with(" done") && third.ends_with(" done") && last.contains(&self.digits(1))
        });
        terminal
    }

    fn pull(&self) -> Tool {
        let tool = self.scratch.longshore().args(["copy", "--src-tls-verify=false"]);
        tool.args([self.registry.name("app:v1"), self.scratch.name("oci", "to:x")])
    }

    /// The digits of a layer that its line shows.
    fn digits(&self, layer: usize) -> String {
        self.made.layers(0)[layer][7..19].to_owned()
    }

    /// How a layer's line begins where there is room.
    fn layer(&self, layer: usize) -> String {
        format!("Copying blob {}", self.digits(layer))
    }

    fn config(&self) -> String {
        format!("Copying config {}", &self.made.config(0)[7..17])
    }
}

/// The line that begins with a bar's name; empty if there is none.
fn bar<'a>(screen: &'a str, name: &str) -> &'a str {
    screen.lines().find(|line| line.starts_with(name)).unwrap_or_default()
}

/// The lines that a whole copy leaves, in the order in which its blobs ended.
fn report(slow: &Slow, screen: &str) -> Vec<String> {
    let [first, second, third] = [0, 1, 2].map(|layer| format!("{} done", slow.layer(layer)));
    let position = |line: &str| screen.lines().position(|shown| shown == line);
    let mut early = [first, third];
    early.sort_by_key(|line| position(line));
    let sum: usize = slow.made.blobs.values().map(|blob| blob.len()).sum();
    let [before, after] = early;
    vec![
        "Getting image source signatures".to_owned(),
        before,
        after,
        second,
        format!("{} done", slow.config()),
        "Writing manifest to image destination".to_owned(),
        format!(
            "Copied 4 blobs ({:.2} KiB), reused 0 (0 B): {}",
            sum as f64 / 1024.0,
            slow.made.top.digest
        ),
        "ended with 0".to_owned(),
        "modes opost isig icanon echo".to_owned(),
    ]
}

#[test]
fn a_bar_shows_how_far_how_fast_and_how_long_and_a_line_stays_of_each() {
    for (columns, parts) in [
        (100, &["[", "] ", " KiB / ", " | ", "/s, ", " left"][..]),
        (40, &["% ", "/s, ", " left"]),
    ] {
        let slow = Slow::new();
        let terminal = slow.copy(columns);
        let screen = terminal.screen();
        let held = screen.lines().last().unwrap_or_default();
        assert!(held.contains(&slow.digits(1)), "{screen}");
        assert!(parts.iter().all(|part| held.contains(part)), "{parts:?}\n{screen}");
        assert!(held.len() < usize::from(columns), "{screen}");
        slow.gate.open();
        let screen = terminal.wait_for("modes");
        assert_eq!(
            screen.lines().collect::<Vec<_>>(),
            report(&slow, &screen),
            "{columns}\n{screen}"
        );
        assert!(terminal.shows_cursor());
        check_layout(&slow.scratch.path("to"), "x").unwrap();

        let tool = slow.pull();
        let again = Terminal::start(&slow.scratch, tool, columns, 24).unwrap();
        let screen = again.wait_for("modes");
        assert!(screen.contains("Copied 0 blobs (0 B), reused 4 ("), "{screen}");
    }
}

#[test]
fn a_terminal_may_become_wider() {
    let slow = Slow::new();
    let terminal = slow.copy(60);
    terminal.resize(120, 30);
    terminal.wait_until("a bar as wide", |screen| {
        bar(screen, &slow.layer(1)).len() > 60 && screen.lines().count() == 4
    });
    slow.gate.open();
    let screen = terminal.wait_for("modes");
    assert_eq!(screen.lines().collect::<Vec<_>>(), report(&slow, &screen), "{screen}");
}

#[test]
fn a_terminal_may_become_narrower() {
    let slow = Slow::new();
    let terminal = slow.copy(100);
    terminal.resize(50, 20);
    terminal.wait_until("a bar as narrow", |screen| {
        let last = screen.lines().last().unwrap_or_default();
        last.starts_with(&slow.digits(1)) && last.len() < 50
    });
    slow.gate.open();
    let screen = terminal.wait_for("modes");
    // What the terminal did to the lines before the program learned of it, nobody can take back; every line that stays is whole.
    let expected = report(&slow, &screen);
    let mut lines = screen.lines();
    for line in &expected {
        assert!(lines.any(|shown| shown == line), "no {line}\n{screen}");
    }
}

#[test]
fn ctrl_c_leaves_a_terminal_as_it_was_and_no_image() {
    let slow = Slow::new();
    let terminal = slow.copy(100);
    terminal.press(&["C-c"]);
    let screen = terminal.wait_for("modes");
    for line in ["ended with 130", "modes opost isig icanon echo"] {
        assert!(screen.lines().any(|shown| shown == line), "no {line}\n{screen}");
    }
    assert!(screen.contains("interrupted, removing what is unfinished"), "{screen}");
    assert_eq!(bar(&screen, &slow.layer(1)), "", "a bar stands still\n{screen}");
    assert!(terminal.shows_cursor());
    terminal.press(&["typed", "Enter"]);
    terminal.wait_for("\ntyped\nread <typed>");
    let left = files_below(&slow.scratch.path("to")).unwrap();
    let visible =
        |path: &&std::path::PathBuf| path.ends_with("index.json") || path.to_string_lossy().contains(".longshore-");
    assert_eq!(left.keys().find(visible), None);
}
