//! Several processes at one OCI layout: nothing is lost.

use std::process::Child;

use longshore_tests::{ImageSpec, Layer, Scratch, check_layout, entries};

const ROUNDS: u64 = 6;
const WRITERS: u64 = 4;

fn ended(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn writers_and_a_delete_at_one_layout_lose_nothing() {
    let scratch = Scratch::new().unwrap();
    let shared = Layer::new(1, 60_000);
    let layout = scratch.path("layout");
    for round in 0..ROUNDS {
        // What is deleted shares a layer and its config's absence with what is written.
        let old = ImageSpec::new([shared, Layer::new(500 + round, 100)]).make().unwrap();
        old.write_dir(&scratch.path("old")).unwrap();
        let old_name = scratch.name("oci", &format!("layout:old{round}"));
        scratch
            .longshore()
            .args(["copy", &scratch.name("dir", "old"), &old_name])
            .run()
            .success();

        let mut running = Vec::new();
        let mut written = Vec::new();
        for writer in 0..WRITERS {
            let seed = 1_000 + round * WRITERS + writer;
            let made = ImageSpec::new([shared, Layer::new(seed, 90_000)]).make().unwrap();
            let from = format!("from{writer}");
            made.write_dir(&scratch.path(&from)).unwrap();
            let name = format!("image-{round}-{writer}");
            let to = scratch.name("oci", &format!("layout:{name}"));
            running.push(
                scratch
                    .longshore()
                    .args(["copy", &scratch.name("dir", &from), &to])
                    .start(),
            );
            written.push((name, made.top.digest.clone()));
            if writer == WRITERS / 2 {
                running.push(scratch.longshore().args(["delete", &old_name]).start());
            }
        }
        running.into_iter().for_each(ended);
        for (name, digest) in &written {
            assert_eq!(&check_layout(&layout, name).unwrap().digest, digest);
        }
        let names: Vec<_> = entries(&layout)
            .unwrap()
            .into_iter()
            .filter_map(|(name, _)| name)
            .collect();
        assert_eq!(names.len() as u64, (round + 1) * WRITERS, "{names:?}");
        let gone = layout.join("blobs/sha256").join(&old.layers(0)[1][7..]);
        assert!(!gone.exists(), "a blob of the deleted image is left");
    }
    for round in 0..ROUNDS {
        for writer in 0..WRITERS {
            check_layout(&layout, &format!("image-{round}-{writer}")).unwrap();
        }
    }
}

#[test]
fn writers_of_one_name_leave_one_whole_image() {
    let scratch = Scratch::new().unwrap();
    let images: Vec<_> = (0..WRITERS)
        .map(|seed| ImageSpec::new([Layer::new(seed, 50_000)]).make().unwrap())
        .collect();
    for (index, made) in images.iter().enumerate() {
        made.write_dir(&scratch.path(format!("from{index}"))).unwrap();
    }
    let to = scratch.name("oci", "layout:x");
    let copy = |index: usize| {
        scratch
            .longshore()
            .args(["copy", &scratch.name("dir", &format!("from{index}")), &to])
    };
    let running: Vec<Child> = (0..images.len()).map(|index| copy(index).start()).collect();
    running.into_iter().for_each(ended);
    let last = check_layout(&scratch.path("layout"), "x").unwrap().digest;
    assert!(images.iter().any(|made| made.top.digest == last));
    let all = entries(&scratch.path("layout")).unwrap();
    assert_eq!(all.len(), images.len(), "the others stay without a name: {all:?}");
    assert_eq!(all.iter().filter(|(name, _)| name.is_some()).count(), 1);
}
