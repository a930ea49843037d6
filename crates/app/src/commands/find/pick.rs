//! Choosing on a terminal: what fits is shown as one types, with what is known of the chosen one beside it.

use std::io::IsTerminal;

use cocli_core::{Entity, Target};
use cocli_node::{Home, Query};
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Position};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, List, ListState, Paragraph, Wrap};

use crate::args::Find;
use crate::commands::{Context, edit};
use crate::failure::{Exit, Failure};
use crate::render::Screen;
use crate::tui::card::{card, name};
use crate::tui::one_line;
use crate::tui::pasted;
use crate::tui::terminal::{Came, Terminal};

/// Columns from which on what is known is shown beside the list, and not below it.
const WIDE: u16 = 80;
const KEYS: &str = " ↑ ↓ choose · Enter opens it in the editor · Esc ends";

/// Whether somebody sits at both ends.
pub(super) fn possible(screen: Screen) -> bool {
    screen.prints_to_a_person() && std::io::stdin().is_terminal()
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Nothing,
    Open,
    End,
}

/// What is typed, what it led to, and which of it is chosen.
#[derive(Default)]
struct Picker {
    text: String,
    found: Vec<(Target, Entity)>,
    chosen: usize,
    nearly: bool,
    trouble: Option<String>,
}

pub(super) fn run(
    context: &Context,
    home: &Home,
    args: &Find,
    given: &Query,
) -> Result<(), Failure> {
    if !possible(context.screen) {
        return Err(Failure::usage("`--pick` needs a terminal to choose on".to_owned()));
    }
    let quoted = |word: &String| match word.contains(char::is_whitespace) && word.contains(':') {
        true => format!("\"{word}\""),
        false => word.clone(),
    };
    let text = args.text.iter().map(quoted).collect::<Vec<_>>().join(" ");
    let mut picker = Picker { text, ..Picker::default() };
    picker.search(home, args, given);
    let mut terminal = Terminal::take().map_err(broken)?;
    let chosen =
        picker.ask(&mut terminal, context.screen, |picker| picker.search(home, args, given));
    drop(terminal);
    match chosen.map_err(broken)? {
        Some(target) => edit::open(context, home, &target),
        None => Ok(()),
    }
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("the terminal: {error}"))
}

impl Picker {
    /// Draws and listens until something is chosen, or nothing.
    fn ask(
        &mut self,
        terminal: &mut Terminal,
        screen: Screen,
        mut search: impl FnMut(&mut Self),
    ) -> std::io::Result<Option<Target>> {
        loop {
            terminal.draw(|frame| self.draw(frame, screen))?;
            let mut typed = false;
            loop {
                let came = terminal.wait(None)?;
                if let Came::Pasted(text) = &came {
                    self.text.push_str(&pasted(text));
                    typed = true;
                }
                if let Came::Key(key) = came {
                    if self.edit(key) {
                        typed = true;
                    } else {
                        // What is chosen is of what is typed by now.
                        if std::mem::take(&mut typed) {
                            search(self);
                        }
                        match self.key(key) {
                            Wish::Open => {
                                let chosen = self.found.get(self.chosen);
                                return Ok(chosen.map(|(target, _)| target.clone()));
                            }
                            Wish::End => return Ok(None),
                            Wish::Nothing => {}
                        }
                    }
                }
                // Whoever types on is not kept waiting for what he has typed over.
                if !terminal.more()? {
                    break;
                }
            }
            if typed {
                search(self);
            }
        }
    }

    /// Whether a key changes the text.
    fn edit(&mut self, key: KeyEvent) -> bool {
        let with = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Backspace => return self.text.pop().is_some(),
            KeyCode::Char('u') if with => self.text.clear(),
            KeyCode::Char(c) if !with => self.text.push(c),
            _ => return false,
        }
        true
    }

    fn key(&mut self, key: KeyEvent) -> Wish {
        let with = key.modifiers.contains(KeyModifiers::CONTROL);
        let last = self.found.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc => return Wish::End,
            KeyCode::Char('c' | 'd' | 'g') if with => return Wish::End,
            KeyCode::Enter if !self.found.is_empty() => return Wish::Open,
            KeyCode::Up => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Char('p' | 'k') if with => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down => self.chosen = (self.chosen + 1).min(last),
            KeyCode::Char('n' | 'j') if with => self.chosen = (self.chosen + 1).min(last),
            KeyCode::PageUp => self.chosen = self.chosen.saturating_sub(10),
            KeyCode::PageDown => self.chosen = (self.chosen + 10).min(last),
            KeyCode::Home => self.chosen = 0,
            KeyCode::End => self.chosen = last,
            _ => {}
        }
        Wish::Nothing
    }

    fn search(&mut self, home: &Home, args: &Find, given: &Query) {
        (self.chosen, self.trouble) = (0, None);
        let found = Query::typed(&self.text).map_err(Failure::from).and_then(|typed| {
            Ok(home.find(&typed.and(given), args.limit.max(100), &cocli_fuzzy::best)?)
        });
        match found {
            Ok(found) => (self.found, self.nearly) = (found.entities, found.nearly),
            Err(failure) => (self.found, self.trouble) = (Vec::new(), Some(failure.message)),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, screen: Screen) {
        let rows = [Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)];
        let [typed, middle, keys] = Layout::vertical(rows).areas(frame.area());
        let halves = [Constraint::Percentage(50), Constraint::Percentage(50)];
        let [list, known] = match middle.width >= WIDE {
            true => Layout::horizontal(halves).areas(middle),
            false => Layout::vertical(halves).areas(middle),
        };
        let prompt = format!("> {}", screen.safe(&self.text));
        let at =
            Line::from(prompt.as_str()).width().min(usize::from(typed.width.saturating_sub(1)));
        frame.render_widget(Paragraph::new(prompt), typed);
        frame.set_cursor_position(Position::new(typed.x + at as u16, typed.y));
        let said = match (&self.trouble, self.found.len(), self.nearly) {
            (Some(trouble), ..) => screen.safe(trouble),
            (None, 0, _) if self.text.trim().is_empty() => {
                "type a part of a name, domain, address, number or tag".into()
            }
            (None, 0, _) => "nothing is called so".into(),
            (None, _, true) => "nearly so".into(),
            (None, count, false) => format!("{count} found"),
        };
        let items = self.found.iter().map(|(target, entity)| name(target, entity));
        let items = List::new(items)
            .block(Block::new().borders(Borders::TOP).title(said))
            .highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        let mut state =
            ListState::default().with_selected((!self.found.is_empty()).then_some(self.chosen));
        frame.render_stateful_widget(items, list, &mut state);
        if let Some((target, entity)) = self.found.get(self.chosen) {
            let block =
                Block::new().borders(Borders::TOP | Borders::LEFT).title(target.to_string());
            let known_of = Paragraph::new(lines(target, entity)).block(block);
            frame.render_widget(known_of.wrap(Wrap { trim: false }), known);
        }
        let faint = Style::new().add_modifier(Modifier::DIM);
        frame.render_widget(Paragraph::new(KEYS).style(faint), keys);
    }
}

/// All that is known, a field a line, then the text.
fn lines(target: &Target, entity: &Entity) -> Vec<Line<'static>> {
    let card = card(target, entity);
    let fields =
        card.fields.iter().map(|(field, value)| one_line(&format!("{}: {value}", field.key())));
    let mut lines: Vec<Line<'static>> = fields.map(Line::from).collect();
    if !card.text.is_empty() {
        lines.push(Line::default());
        lines.extend(card.text.into_iter().map(Line::from));
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn picker(count: usize) -> Picker {
        let target = |n| Target::read(&format!("companies/c{n}")).unwrap();
        let found = (0..count).map(|n| (target(n), Entity::default())).collect();
        Picker { found, ..Picker::default() }
    }

    fn press(picker: &mut Picker, code: KeyCode) -> Wish {
        picker.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_choose_within_what_was_found_and_letters_search() {
        let mut picker = picker(3);
        assert_eq!(press(&mut picker, KeyCode::Up), Wish::Nothing);
        for _ in 0..9 {
            press(&mut picker, KeyCode::Down);
        }
        assert_eq!(picker.chosen, 2);
        let mut types = |code| picker.edit(KeyEvent::new(code, KeyModifiers::NONE));
        assert!(types(KeyCode::Char('ü')) && types(KeyCode::Backspace));
        assert!(!types(KeyCode::Backspace) && !types(KeyCode::Down));
        assert_eq!(press(&mut picker, KeyCode::Enter), Wish::Open);
        assert_eq!(press(&mut picker, KeyCode::Esc), Wish::End);
        assert_eq!(press(&mut super::Picker::default(), KeyCode::Enter), Wish::Nothing);
    }

    #[test]
    fn it_is_drawn_on_a_terminal_of_any_size() {
        let picker = Picker { text: "c\u{1b}".into(), ..picker(40) };
        for (width, height) in [(1, 1), (20, 3), (79, 10), (120, 40), (500, 2)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| picker.draw(frame, Screen::new(false))).unwrap();
        }
        let mut terminal = Terminal::new(TestBackend::new(100, 10)).unwrap();
        terminal.draw(|frame| picker.draw(frame, Screen::new(false))).unwrap();
        let text = terminal.backend().to_string();
        assert!(text.contains("40 found") && text.contains("companies/c0"), "{text}");
    }
}
