//! What stands in `cluster`: whose the bucket is, and in which of its lives. docs/bucket.md.

use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key};
use cocli_core::{ClusterId, Epoch};

/// Whose the bucket is, and since which beginning: one that was emptied and begun again has another life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Founding {
    pub(super) cluster: ClusterId,
    /// Random; empty in a bucket that was begun before there were lives.
    pub(super) life: String,
}

impl Founding {
    fn text(&self) -> String {
        format!("{}\n{}\n", self.cluster, self.life)
    }

    /// # Errors
    /// When it is no such text.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(bytes);
        let (first, life) = text.trim_end().split_once('\n').unwrap_or((text.trim_end(), ""));
        let cluster = ClusterId::read(first).ok_or_else(|| {
            let what = format!("expected 32 hex digits, and it says {first:?}");
            Failure::wrong(&Key::cluster(), &what)
        })?;
        Ok(Self { cluster, life: life.to_owned() })
    }

    /// What stands there; nothing in a bucket that nobody has begun.
    ///
    /// # Errors
    /// When the bucket cannot be asked, or something else stands there.
    pub(super) fn there(bucket: &dyn Bucket) -> Result<Option<Self>, Failure> {
        bucket.get(&Key::cluster())?.map(|bytes| Self::read(&bytes)).transpose()
    }

    /// What stands there, which is this cluster's; begins the bucket where nobody has. `life` is random.
    ///
    /// # Errors
    /// When it is another cluster's, or cannot be asked.
    pub(super) fn claim(
        bucket: &dyn Bucket,
        cluster: ClusterId,
        life: &Epoch,
    ) -> Result<Self, Failure> {
        let there = match Self::there(bucket)? {
            Some(there) => there,
            None => {
                let mine = Self { cluster, life: life.to_string() };
                match bucket.create(&Key::cluster(), mine.text().as_bytes())? {
                    Created::New => mine,
                    // Somebody was faster, or the answer to an earlier try was lost.
                    Created::Exists => Self::there(bucket)?.ok_or_else(|| {
                        let what = "it cannot be created, and is not there";
                        Failure::new(FailureKind::Away, format!("{}: {what}", Key::cluster()))
                    })?,
                }
            }
        };
        there.of(cluster)
    }

    /// Itself, if it is this cluster's.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn of(self, cluster: ClusterId) -> Result<Self, Failure> {
        if self.cluster == cluster {
            return Ok(self);
        }
        let (key, theirs) = (Key::cluster(), self.cluster);
        let said = format!(
            "the bucket is of another cluster: expected {cluster} in `{key}`, and it says {theirs}"
        );
        Err(Failure::new(FailureKind::Wrong, said))
    }
}
