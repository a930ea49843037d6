//! A secret that a person pastes, or a program pipes in: a ticket, a key.

use std::io::{self, BufRead, IsTerminal, Read};

use zeroize::Zeroizing;

use crate::render::Screen;

/// Bytes that are read; the longest ticket has fewer.
const BYTES_MAX: u64 = 64 * 1024;

/// All of standard input; of a terminal only as many lines as it takes until they are `whole`, since
/// nobody who has pasted a line waits for an end to be asked for.
///
/// # Errors
/// When standard input cannot be read, or is no text.
pub(crate) fn read(
    screen: Screen,
    what: &str,
    whole: impl Fn(&str) -> bool,
) -> io::Result<Zeroizing<String>> {
    let input = io::stdin();
    if input.is_terminal() {
        screen.note(format!("paste {what} here, then Enter:"));
        return lines(input.lock().take(BYTES_MAX), whole);
    }
    let mut text = Zeroizing::new(String::new());
    input.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn lines(mut input: impl BufRead, whole: impl Fn(&str) -> bool) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    while input.read_line(&mut text)? > 0 {
        if !text.trim().is_empty() && whole(&text) {
            break;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// A terminal at which nothing more is typed.
    struct Waits;

    impl Read for Waits {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("it waits for a person")
        }
    }

    #[test]
    fn what_is_typed_is_read_until_it_is_whole_and_no_further() {
        let typed = (&b"\n \nfirst\nsecond\n"[..]).chain(BufReader::new(Waits));
        let text = lines(typed, |text| text.contains("second")).unwrap();
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["first", "second"]);
    }

    #[test]
    fn what_ends_before_it_is_whole_is_what_came() {
        assert_eq!(*lines(&b"half"[..], |_| false).unwrap(), "half");
    }
}
