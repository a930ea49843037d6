//! What the store answered last, as the wire saw it: what a failure is told from.

use std::cell::RefCell;
use std::future::Future;

use cocli_core::bucket::{Failure, FailureKind};

tokio::task_local! {
    /// Of the operation that is being polled. The wire notes it, since `object_store` keeps status and code
    /// to itself.
    static LAST: RefCell<Answer>;
}

/// The last answer, or why there was none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status, when one came.
    pub(crate) status: Option<u16>,
    /// The code in the error's text (`NoSuchBucket`), when there is one.
    pub(crate) code: String,
    /// What the store says of it, for a person.
    pub(crate) message: String,
    /// Why no answer came, or not whole.
    pub(crate) broken: Option<String>,
}

/// Notes what came last; outside of an operation nobody asks for it.
pub(crate) fn note(answer: Answer) {
    let _ = LAST.try_with(|last| *last.borrow_mut() = answer);
}

/// Does it and tells what came last. Each operation has its own, however many run at a time.
pub(crate) async fn noting<T>(operation: impl Future<Output = T>) -> (T, Answer) {
    let noted = async {
        let done = operation.await;
        (done, LAST.with(|last| last.take()))
    };
    LAST.scope(RefCell::default(), noted).await
}

impl Answer {
    /// An answer of this status, with what its body says.
    pub(crate) fn read(status: u16, body: &str) -> Self {
        let element = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            Some(rest.split_once("</")?.0.trim().to_string())
        };
        let code = element("Code").or_else(|| element("Error")).unwrap_or_default();
        let mut message = element("Message").unwrap_or_default();
        if let Some(region) = element("Region") {
            message.push_str(&format!(" (its region is {region})"));
        }
        Self { status: Some(status), code, message, broken: None }
    }

    /// No answer, for this reason.
    pub(crate) fn broken(why: impl Into<String>) -> Self {
        Self { broken: Some(why.into()), ..Self::default() }
    }

    /// What stands for an answer when nobody could be found to ask it.
    pub(crate) fn refused(why: &str) -> Self {
        Self { status: Some(401), message: why.to_string(), ..Self::default() }
    }

    /// Whether the store says that there is no such object. A 404 of anybody else on the way, or that there is
    /// no such bucket, is no word on the object.
    pub(crate) fn is_missing(&self) -> bool {
        let said = ["NoSuchKey", "BlobNotFound"].contains(&self.code.as_str());
        self.broken.is_none() && self.status == Some(404) && said
    }

    /// Whether the store says who asks may not.
    pub(crate) fn is_denied(&self) -> bool {
        self.broken.is_none() && matches!(self.status, Some(401 | 403))
    }

    /// Whether another conditional write was under way at the same time.
    pub(crate) fn is_conflict(&self) -> bool {
        self.broken.is_none() && self.status == Some(409)
    }

    fn kind(&self) -> FailureKind {
        match (&self.broken, self.status) {
            (Some(why), _) if why.contains("invalid peer certificate") => FailureKind::Wrong,
            (Some(_), _) => FailureKind::Away,
            (None, Some(401 | 403)) => FailureKind::Denied,
            (None, Some(408 | 409 | 425 | 429)) => FailureKind::Away,
            (None, Some(501 | 505)) => FailureKind::Wrong,
            (None, Some(500..)) => FailureKind::Away,
            (None, _) => FailureKind::Wrong,
        }
    }

    /// The failure of what was asked, told with what came instead; `error` is for when nothing was noted.
    pub(crate) fn failure(&self, asked: &str, error: &dyn std::error::Error) -> Failure {
        let mut said = match (&self.broken, self.status) {
            (Some(why), _) => format!("{asked}: {why}"),
            (None, Some(status)) if status >= 300 => {
                let words = [status.to_string(), self.code.clone()];
                let words: Vec<_> = words.iter().filter(|w| !w.is_empty()).cloned().collect();
                format!("{asked}: {}", words.join(" "))
            }
            _ => format!("{asked}: {}", chain(error)),
        };
        if self.broken.is_none() && !self.message.is_empty() {
            said.push_str(&format!(": {}", self.message));
        }
        if let Some(hint) = self.hint() {
            said.push_str(&format!("; {hint}"));
        }
        Failure::new(self.kind(), said)
    }

    fn hint(&self) -> Option<&'static str> {
        match (self.status, self.code.as_str()) {
            (_, "NoSuchBucket") => Some("create the bucket, or correct its name or its region"),
            (_, "RequestTimeTooSkewed") => Some("the clock of this machine is wrong"),
            (_, "ExpiredToken" | "TokenRefreshRequired") => {
                Some("sign in again: the session is over")
            }
            (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => {
                Some("the key or its secret is wrong")
            }
            (Some(301), _) | (_, "AuthorizationHeaderMalformed") => {
                Some("say its region: AWS_REGION, or ?region= at the end of the bucket's address")
            }
            (Some(404), "") => Some("no store says it so: is the endpoint right?"),
            (Some(501), _) => Some("this store does not know what was asked"),
            _ => None,
        }
    }
}

/// An error and what it came from, in one line; what a text repeats of its source is left out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !said.contains(&text) {
            said.push_str(&format!(": {text}"));
        }
        source = error.source();
    }
    said.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> FailureKind {
        Answer::read(status, body).failure("get x", &std::fmt::Error).kind
    }

    #[test]
    fn each_status_is_the_kind_that_helps() {
        for status in [408, 409, 429, 500, 502, 503, 504] {
            assert_eq!(kind(status, ""), FailureKind::Away, "{status}");
        }
        for status in [401, 403] {
            assert_eq!(kind(status, ""), FailureKind::Denied, "{status}");
        }
        for status in [301, 400, 404, 405, 501] {
            assert_eq!(kind(status, ""), FailureKind::Wrong, "{status}");
        }
        let broken = Answer::broken("connection refused").failure("get x", &std::fmt::Error);
        assert_eq!(broken.kind, FailureKind::Away);
        let forged = Answer::broken("invalid peer certificate: UnknownIssuer");
        assert_eq!(forged.failure("get x", &std::fmt::Error).kind, FailureKind::Wrong);
    }

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        let no_bucket = "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>";
        assert!(!Answer::read(404, no_bucket).is_missing());
        assert!(Answer::read(404, "<Error><Code>NoSuchKey</Code></Error>").is_missing());
        assert!(Answer::read(404, "<Error><Code>BlobNotFound</Code></Error>").is_missing());
        assert!(!Answer::read(404, "<html>404 Not Found</html>").is_missing());
        assert!(!Answer::read(404, "").is_missing());
        let said = Answer::read(404, no_bucket).failure("get x of s3://b", &std::fmt::Error).said;
        assert!(said.contains("NoSuchBucket: none; create the bucket"), "{said}");
    }
}
