//! Taking in who knocks, for as long as the daemon runs.

use std::io;
use std::time::Duration;

use crate::clock;

/// What is wrong when a connection cannot be taken in lasts for a while (no file descriptor is left), and
/// the connection waits: asking again at once would take a processor and change nothing.
const REST: Duration = Duration::from_millis(100);

/// Hands on each connection that can be taken in.
pub(super) fn each<T>(mut accept: impl FnMut() -> io::Result<T>, mut take: impl FnMut(T)) -> ! {
    loop {
        take(next(&mut accept, clock::pass));
    }
}

fn next<T>(accept: &mut impl FnMut() -> io::Result<T>, rest: impl Fn(Duration)) -> T {
    loop {
        match accept() {
            Ok(connection) => return connection,
            // Only the caller that had gone already is out of the way.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => rest(REST),
        }
    }
}

/// A thread for one of them; when the system has none left, what the work holds is dropped, and with it the
/// connection is closed.
pub(super) fn serve(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().spawn(work).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn who_cannot_be_taken_in_is_asked_for_again_after_a_rest_and_never_at_once() {
        let rests = Cell::new(0);
        let mut outcomes = [
            Err(io::Error::from_raw_os_error(24)), // EMFILE
            Err(io::ErrorKind::ConnectionAborted.into()),
            Err(io::Error::from_raw_os_error(24)),
            Ok("a connection"),
        ]
        .into_iter();
        let taken = next(&mut || outcomes.next().unwrap(), |rest| {
            assert_eq!(rest, REST);
            rests.set(rests.get() + 1);
        });
        assert_eq!((taken, rests.get()), ("a connection", 2));
    }
}
