use super::*;

fn key(text: &str) -> Key {
    Key::read(text).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn nothing_is_left_without_a_name_and_nothing_unnamed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Directory::open(&folder.path().join("new/bucket")).unwrap();
    bucket.create(&key("a/1"), b"x").unwrap();
    bucket.create(&key("a/1"), b"y").unwrap();
    bucket.replace(&key("b"), b"z").unwrap();
    assert!(names(&bucket.root.join(UNNAMED)).is_empty());
    bucket.unnamed().unwrap();
    let listed: Vec<String> =
        bucket.list(&key("a/")).unwrap().iter().map(|one| one.key.to_string()).collect();
    assert_eq!(listed, ["a/1"]);
    assert!(bucket.get(&key(&format!("{UNNAMED}/x"))).is_err());
}

#[test]
fn an_unmounted_bucket_is_away_and_not_empty() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Directory::open(folder.path()).unwrap();
    assert_eq!(bucket.get(&key("cluster")), Ok(None));
    fs::remove_dir_all(folder.path().join(UNNAMED)).unwrap();
    assert_eq!(bucket.get(&key("cluster")).unwrap_err().kind, FailureKind::Away);
    assert_eq!(bucket.create(&key("cluster"), b"").unwrap_err().kind, FailureKind::Away);
    assert_eq!(bucket.list(&key("wal/")).unwrap_err().kind, FailureKind::Away);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_mount_point_that_somebody_took_for_a_bucket_is_not_the_one_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let (point, stick) = (folder.path().join("point"), folder.path().join("stick"));
    Directory::open(&point).unwrap().create(&key("cluster"), b"x").unwrap();
    let bucket = Directory::open(&point).unwrap();
    fs::rename(&point, &stick).unwrap();
    let _empty = Directory::open(&point).unwrap();
    assert_eq!(bucket.get(&key("wal/pi1/1")).unwrap_err().kind, FailureKind::Away);
    assert_eq!(bucket.create(&key("wal/pi1/1"), b"").unwrap_err().kind, FailureKind::Away);
    fs::remove_dir_all(&point).unwrap();
    fs::rename(&stick, &point).unwrap();
    assert_eq!(bucket.create(&key("wal/pi1/1"), b""), Ok(Created::New));
}

#[test]
fn what_a_crash_left_is_swept_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Directory::open(folder.path()).unwrap();
    let (old, old_path) = bucket.unnamed().unwrap();
    let (_, young_path) = bucket.unnamed().unwrap();
    let written = old.metadata().unwrap().modified().unwrap();
    old.set_modified(written - LEFT_BEHIND - Duration::from_secs(60)).unwrap();
    Directory::open(folder.path()).unwrap();
    assert!(!old_path.exists());
    assert!(young_path.exists());
}

#[test]
fn without_links_a_rename_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Directory::open(folder.path()).unwrap();
    bucket.no_links.store(true, Ordering::Relaxed);
    assert_eq!(bucket.create(&key("a"), b"first"), Ok(Created::New));
    assert_eq!(bucket.create(&key("a"), b"second"), Ok(Created::Exists));
    assert_eq!(bucket.get(&key("a")), Ok(Some(b"first".to_vec())));
}

#[test]
fn keys_lead_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Directory::open(folder.path()).unwrap();
    for escape in ["../x", "a/../../x", "/etc/passwd", "a//b", "a\\..\\b"] {
        let key = Key::mirror(escape);
        assert_eq!(bucket.create(&key, b"x").unwrap_err().kind, FailureKind::Wrong, "{escape}");
        assert_eq!(bucket.get(&key).unwrap_err().kind, FailureKind::Wrong, "{escape}");
    }
}
