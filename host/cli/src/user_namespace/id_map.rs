//! Which ids a user namespace has, by the files `subuid(5)` and `subgid(5)`.

/// Ids of a namespace, from 0 on: the user's own, then those that are set aside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IdMap {
    own: u32,
    /// First id outside, and how many; each range follows the one before.
    set_aside: Vec<(u32, u32)>,
}

impl IdMap {
    /// `own` and what `file` sets aside for the user of this name or number. Lines that are no ranges are passed over, as
    /// the system's own programs do; ids beyond the last one that there can be are cut off.
    pub(super) fn new(own: u32, file: &str, name: Option<&str>, user: u32) -> Self {
        let number = user.to_string();
        let mut left = u32::MAX - 1;
        let mut set_aside = Vec::new();
        for line in file.lines() {
            let Some((first, count)) = range(line, name, &number) else {
                continue;
            };
            let count = count.min(left).min(u32::MAX - first);
            if count > 0 {
                left -= count;
                set_aside.push((first, count));
            }
        }
        Self { own, set_aside }
    }

    /// Whether there is more than the user's own id.
    pub(super) fn has_set_aside(&self) -> bool {
        !self.set_aside.is_empty()
    }

    /// As `newuidmap(1)` takes it after the process: id inside, id outside and how many, for each range.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut inside = 0;
        let mut arguments = Vec::new();
        for &(outside, count) in [(self.own, 1)].iter().chain(&self.set_aside) {
            arguments.extend([inside, outside, count].map(|id| id.to_string()));
            inside += count;
        }
        arguments
    }
}

/// `OWNER:FIRST:COUNT`, if the owner is the one that is meant.
fn range(line: &str, name: Option<&str>, number: &str) -> Option<(u32, u32)> {
    let mut fields = line.trim().split(':');
    let (owner, first, count) = (fields.next()?, fields.next()?, fields.next()?);
    let is_meant = fields.next().is_none() && (owner == number || Some(owner) == name);
    is_meant.then_some((first.parse().ok()?, count.parse().ok()?))
}

/// The name of a user in the text of `/etc/passwd`.
pub(super) fn user_name(passwd: &str, user: u32) -> Option<String> {
    let number = user.to_string();
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    };
    passwd.lines().find_map(name)
}

#[cfg(test)]
mod tests {
    use super::{IdMap, user_name};

    #[test]
    fn own_id_comes_first_and_ranges_follow() {
        let rows: [(&str, &[&str]); 9] = [
            ("", &["0", "7", "1"]),
            ("me:100000:65536", &["0", "7", "1", "1", "100000", "65536"]),
            (
                "7:5:2\n# me\nyou:1:1\nme:9:3\n",
                &["0", "7", "1", "1", "5", "2", "3", "9", "3"],
            ),
            ("me:1", &["0", "7", "1"]),
            ("me:1:2:3", &["0", "7", "1"]),
            ("me:-1:2", &["0", "7", "1"]),
            ("me:1:0", &["0", "7", "1"]),
            ("me:4294967290:100", &["0", "7", "1", "1", "4294967290", "5"]),
            (
                "me:1:4294967294\nme:2:4294967293",
                &["0", "7", "1", "1", "1", "4294967294"],
            ),
        ];
        for (file, expected) in rows {
            let map = IdMap::new(7, file, Some("me"), 7);
            assert_eq!(map.arguments(), expected, "{file:?}");
            assert_eq!(map.has_set_aside(), expected.len() > 3, "{file:?}");
        }
        assert!(!IdMap::new(7, "me:1:1", None, 7).has_set_aside());
    }

    #[test]
    fn names_of_users() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nme:x:7:8::/:\n";
        let named = |user| user_name(passwd, user);
        assert_eq!(named(7).as_deref(), Some("me"));
        assert_eq!(named(0).as_deref(), Some("root"));
        assert_eq!((named(8), named(70)), (None, None));
    }
}
