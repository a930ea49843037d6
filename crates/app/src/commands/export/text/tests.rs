#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use bytes::Bytes;
use calamine::{Data, Reader as _, Xlsx};
use cocli_table::Table;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use proptest::prelude::*;

use super::super::xlsx::Book;
use super::*;

const NAMES: [&str; 5] = ["company", "emails", "city", "rating", "reviews"];
const FORMS: [Form; 5] = [Form::Text, Form::Text, Form::Text, Form::Real, Form::Whole];

fn columns() -> Vec<Column> {
    NAMES
        .into_iter()
        .zip(FORMS)
        .map(|(name, form)| ColumnSpec::own(name, form))
        .enumerate()
        .map(|(at, spec)| Column::new(at, spec))
        .collect()
}

fn cell(form: Form) -> BoxedStrategy<Cell<'static>> {
    match form {
        Form::Real => prop_oneof![
            Just(Cell::Null),
            (-1e9..1e9_f64).prop_map(Cell::Real),
            (0..6_i32).prop_map(|n| Cell::Real(f64::from(n)))
        ]
        .boxed(),
        Form::Whole => prop_oneof![Just(Cell::Null), any::<i64>().prop_map(Cell::Whole)].boxed(),
        _ => {
            let text = prop_oneof![
                "[=+@,;\"'a-c \\t\\r\\n\u{1e}\u{1f}\u{85}\u{2028}é-]{1,12}",
                "\\+[0-9 ]{1,8}",
                "-[0-9.e]{1,5}",
                any::<String>(),
            ];
            let full = |text: String| match text.is_empty() {
                true => Cell::Null,
                false => Cell::Text(text.into()),
            };
            prop_oneof![1 => Just(Cell::Null), 5 => text.prop_map(full)].boxed()
        }
    }
}

fn rows() -> impl Strategy<Value = Vec<Vec<Cell<'static>>>> {
    let row = FORMS.map(cell).to_vec();
    prop::collection::vec(row, 0..8)
}

fn written(put: fn(&mut Lines, Line<'_, '_>), rows: &[Vec<Cell<'static>>]) -> String {
    let mut lines = Lines::default();
    let columns = columns();
    for cells in rows {
        put(&mut lines, Line { columns: &columns, cells, raw: false });
    }
    String::from_utf8(lines.done().unwrap()).unwrap()
}

/// The texts of all cells, as a table of texts has them.
fn texts(rows: &[Vec<Cell<'static>>], of: impl Fn(&str) -> String) -> Vec<Vec<String>> {
    let row = |row: &Vec<Cell<'static>>| {
        row.iter().zip(FORMS).map(|(cell, form)| of(&text(form, cell))).collect()
    };
    rows.iter().map(row).collect()
}

fn cell_of(field: &Field) -> Cell<'static> {
    match field {
        Field::Null => Cell::Null,
        Field::Str(text) => Cell::Text(text.clone().into()),
        Field::Double(number) => Cell::Real(*number),
        Field::Long(number) => Cell::Whole(*number),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn csv_reads_back_as_it_was_but_for_the_guard_of_formulas(rows in rows()) {
        let csv = written(csv, &rows);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
        let read = reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect());
        let read: Vec<Vec<String>> = read.collect();
        for row in &read {
            prop_assert!(row.iter().all(|cell| !is_formula(cell)), "{:?}", row);
        }
        let guarded = |text: &str| match is_formula(&printable(text)) {
            true => format!("'{}", printable(text)),
            false => printable(text).into_owned(),
        };
        prop_assert_eq!(read, texts(&rows, guarded));
    }

    #[test]
    fn usv_reads_back_as_it_was_but_for_breaks(rows in rows()) {
        let usv = written(usv, &rows);
        let read = usv.split_terminator("\u{1e}\n");
        let read = read.map(|record| record.split('\u{1f}').map(str::to_owned).collect());
        prop_assert_eq!(read.collect::<Vec<Vec<String>>>(), texts(&rows, |t| unbroken(t).into_owned()));
        // As Python's `splitlines` parts them.
        let breaks = ['\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{85}', '\u{2028}', '\u{2029}'];
        prop_assert!(!usv.contains(breaks));
        prop_assert_eq!(usv.matches('\n').count(), rows.len());
    }

    #[test]
    fn json_lines_read_back_as_they_were(rows in rows()) {
        let json = written(json, &rows);
        for (line, row) in json.lines().zip(&rows) {
            let read: Map<String, Json> = serde_json::from_str(line).unwrap();
            for ((name, form), cell) in NAMES.into_iter().zip(FORMS).zip(row) {
                // This reader of numbers is off by the last digit at times; the text is not.
                match (cell, read[name].as_f64()) {
                    (Cell::Real(number), Some(read)) => {
                        prop_assert!((read - number).abs() <= number.abs() * 1e-15);
                    }
                    _ => prop_assert_eq!(&read[name], &value(form, cell)),
                }
            }
        }
        prop_assert_eq!(json.lines().count(), rows.len());
    }

    #[test]
    fn parquet_reads_back_as_it_was(rows in rows()) {
        let (mut bytes, specs) = (Vec::new(), columns());
        let specs: Vec<ColumnSpec> = specs.into_iter().map(|column| column.spec).collect();
        let mut table = Table::new(&mut bytes, "leads", &specs, "0").unwrap();
        for row in &rows {
            table.push(row.clone()).unwrap();
        }
        table.finish().unwrap();
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let read = reader.get_row_iter(None).unwrap().map(|row| {
            row.unwrap().get_column_iter().map(|(_, field)| cell_of(field)).collect::<Vec<_>>()
        });
        prop_assert_eq!(read.collect::<Vec<_>>(), rows);
    }

    #[test]
    fn a_sheet_holds_every_text_as_a_text_and_no_formula(rows in rows()) {
        let mut book = Book::new("leads", columns().into_iter().map(|column| column.spec), None).unwrap();
        for row in &rows {
            book.push(row).unwrap();
        }
        let mut sheet = Xlsx::new(std::io::Cursor::new(book.bytes().unwrap())).unwrap();
        prop_assert!(sheet.worksheet_formula("leads").unwrap().is_empty());
        let range = sheet.worksheet_range("leads").unwrap();
        for (at, row) in rows.iter().enumerate() {
            for (place, cell) in row.iter().enumerate() {
                let read = range.get_value((u32::try_from(at).unwrap() + 1, u32::try_from(place).unwrap()));
                let read = read.unwrap_or(&Data::Empty);
                #[allow(clippy::cast_precision_loss, reason = "a spreadsheet has no other numbers")]
                let expected = match cell {
                    Cell::Null => Data::Empty,
                    Cell::Text(text) => Data::String(super::super::xlsx::fitting(text).0.into_owned()),
                    Cell::Whole(number) => Data::Float(*number as f64),
                    Cell::Real(number) => Data::Float(*number),
                    other => panic!("{other:?}"),
                };
                prop_assert_eq!(read, &expected);
            }
        }
    }
}

#[test]
fn what_a_spreadsheet_would_run_is_guarded_and_what_does_nothing_is_not() {
    for text in [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "+",
        "-",
        "-inf",
        "+1 (214) 555",
    ] {
        assert!(is_formula(text), "{text:?}");
    }
    for text in ["-5", "+3.14", "-1e9", "+49 30 901820", "+49", "a=b", "", " =1", "'=1"] {
        assert!(!is_formula(text), "{text:?}");
    }
}
