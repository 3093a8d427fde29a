//! Apache Parquet: the keys of a record as typed columns, under the same dotted names as in CSV.
//!
//! Strings are UTF-8, `timestamp` and `tls.server.certificate.not_after` are microseconds in UTC (Spark refuses a file
//! that has nanoseconds; JSON Lines and CSV have them), whole numbers are 64-bit, seconds are doubles, lists of strings
//! are lists, and `violations` is a list of structures (rule, severity, offending, message, remedy). `flow.sightings` and
//! `flow.translated` are lists of strings as in CSV.
//! A key that does not apply is null. Pages are compressed with zstd; a row group has a bounded number of rows
//! and bytes, so memory stays flat.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::Sink;
use super::fields::{Fields, Text, visit};
use super::schema::{Key, Kind};
use crate::model::{Record, Sighting, Violation};
use crate::telemetry::Accounts;

/// Rows of a row group: what readers work on in parallel.
const MAX_GROUP_ROWS: usize = 65_536;

/// Bytes gathered for a row group before it is written: few wide rows must not take all memory.
const MAX_GROUP_BYTES: usize = 32 << 20;

/// The columns of one violation, in their order.
const OF_VIOLATION: [&str; 5] = ["rule", "severity", "offending", "message", "remedy"];

/// The schema as Parquet's own text form.
#[must_use]
pub fn message_type() -> String {
    let mut text = String::from("message ddbwatch_flow {\n");
    for key in Key::ALL {
        let column = key.column();
        let name = column.name;
        // Writing to a string cannot fail.
        let _ = match (key, column.kind) {
            (Key::Violations, _) => {
                let _ = write!(
                    text,
                    "  optional group {name} (LIST) {{ repeated group list {{ required group element {{"
                );
                for part in OF_VIOLATION {
                    let _ = write!(text, " required binary {part} (STRING);");
                }
                writeln!(text, " }} }} }}")
            }
            (_, Kind::Text) => writeln!(text, "  optional binary {name} (STRING);"),
            (_, Kind::Time) => writeln!(text, "  optional int64 {name} (TIMESTAMP(MICROS,true));"),
            (_, Kind::Integer) => writeln!(text, "  optional int64 {name};"),
            (_, Kind::Seconds) => writeln!(text, "  optional double {name};"),
            (_, Kind::Flag) => writeln!(text, "  optional boolean {name};"),
            (_, Kind::List | Kind::Objects) => writeln!(
                text,
                "  optional group {name} (LIST) {{ repeated group list {{ required binary element (STRING); }} }}"
            ),
        };
    }
    text.push_str("}\n");
    text
}

/// Writes records as one Parquet file.
pub struct Parquet<W> {
    output: W,
    /// What the writer gave and the output has not yet.
    written: Shared,
    writer: Option<SerializedFileWriter<Shared>>,
    rows: Rows,
}

/// The writer wants an output that may go to another thread, which standard output may not.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::Error::other("the buffer is gone"))?.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Parquet<W> {
    /// Writes to `output`, a row group at a time.
    ///
    /// # Errors
    /// None that the schema of this program could give.
    pub fn new(output: W) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(&message_type()).map_err(failure)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("ddbwatch ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let written = Shared::default();
        let writer =
            SerializedFileWriter::new(written.clone(), schema, Arc::new(properties)).map_err(failure)?;
        Ok(Self { output, written, writer: Some(writer), rows: Rows::new() })
    }

    /// The output.
    pub fn into_inner(self) -> W {
        self.output
    }

    /// Bytes gathered and not written.
    pub const fn waiting_bytes(&self) -> usize {
        self.rows.bytes
    }

    /// Writes what is gathered as a row group.
    ///
    /// # Errors
    /// Those of the output.
    pub fn end_group(&mut self) -> io::Result<()> {
        if self.rows.number > 0
            && let Some(writer) = &mut self.writer
        {
            self.rows.write(writer).map_err(failure)?;
            self.hand_on()?;
        }
        Ok(())
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let bytes = {
            let mut written = self.written.0.lock().map_err(|_| io::Error::other("the buffer is gone"))?;
            std::mem::take(&mut *written)
        };
        self.output.write_all(&bytes)
    }
}

impl<W: Write> Sink for Parquet<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.rows.take(record);
        if self.rows.number >= MAX_GROUP_ROWS || self.rows.bytes >= MAX_GROUP_BYTES {
            self.end_group()?;
        }
        Ok(())
    }

    fn finish(&mut self, _accounts: &Accounts) -> io::Result<()> {
        self.end_group()?;
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(failure)?;
        }
        self.hand_on()?;
        self.output.flush()
    }
}

fn failure(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

/// The values of a column.
enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Double(Vec<f64>),
    Flag(Vec<bool>),
}

/// A column under way, with the levels that say where nulls and list ends are: 0 null, 1 there (or an empty
/// list), 2 an item of a list.
struct Column {
    values: Values,
    definition: Vec<i16>,
    /// Of lists: 0 begins a row, 1 goes on.
    repetition: Option<Vec<i16>>,
    rows: usize,
}

impl Column {
    fn new(kind: Kind) -> Self {
        let (values, repetition) = match kind {
            Kind::Text => (Values::Text(Vec::new()), None),
            Kind::List | Kind::Objects => (Values::Text(Vec::new()), Some(Vec::new())),
            Kind::Time | Kind::Integer => (Values::Integer(Vec::new()), None),
            Kind::Seconds => (Values::Double(Vec::new()), None),
            Kind::Flag => (Values::Flag(Vec::new()), None),
        };
        Self { values, definition: Vec::new(), repetition, rows: 0 }
    }

    fn level(&mut self, definition: i16, repetition: i16) {
        self.definition.push(definition);
        if let Some(levels) = &mut self.repetition {
            levels.push(repetition);
        }
    }

    fn list(&mut self, items: impl Iterator<Item = String>) -> usize {
        let mut bytes = 0;
        self.rows += 1;
        let mut is_first = true;
        for item in items {
            self.level(2, i16::from(!is_first));
            is_first = false;
            bytes += item.len();
            if let Values::Text(values) = &mut self.values {
                values.push(ByteArray::from(item.into_bytes()));
            }
        }
        if is_first {
            self.level(1, 0);
        }
        bytes
    }
}

/// All columns under way.
struct Rows {
    columns: Vec<Column>,
    number: usize,
    bytes: usize,
}

impl Rows {
    fn new() -> Self {
        // The columns of violations come last, because the key does.
        let simple = Key::ALL.iter().filter(|key| **key != Key::Violations);
        let columns = simple
            .map(|key| Column::new(key.column().kind))
            .chain(OF_VIOLATION.iter().map(|_| Column::new(Kind::List)))
            .collect();
        Self { columns, number: 0, bytes: 0 }
    }

    fn take(&mut self, record: &Record) {
        self.number += 1;
        visit(record, self);
        for column in &mut self.columns {
            if column.rows < self.number {
                column.rows += 1;
                column.level(0, 0);
            }
            // Levels, and what a value costs beside its bytes.
            self.bytes += 8;
        }
    }

    fn write(&mut self, writer: &mut SerializedFileWriter<Shared>) -> Result<(), ParquetError> {
        let columns = std::mem::replace(self, Self::new()).columns;
        let mut group = writer.next_row_group()?;
        for column in columns {
            let Some(mut out) = group.next_column()? else { break };
            let (definition, repetition) = (Some(column.definition.as_slice()), column.repetition.as_deref());
            match &column.values {
                Values::Text(values) => {
                    out.typed::<ByteArrayType>().write_batch(values, definition, repetition)?
                }
                Values::Integer(values) => {
                    out.typed::<Int64Type>().write_batch(values, definition, repetition)?
                }
                Values::Double(values) => {
                    out.typed::<DoubleType>().write_batch(values, definition, repetition)?
                }
                Values::Flag(values) => {
                    out.typed::<BoolType>().write_batch(values, definition, repetition)?
                }
            };
            out.close()?;
        }
        group.close()?;
        Ok(())
    }

    fn put(&mut self, key: Key, value: impl FnOnce(&mut Values) -> usize) {
        if let Some(column) = self.columns.get_mut(key as usize) {
            self.bytes += value(&mut column.values);
            column.rows += 1;
            column.level(1, 0);
        }
    }

    fn put_list(&mut self, column: usize, items: impl Iterator<Item = String>) {
        if let Some(column) = self.columns.get_mut(column) {
            self.bytes += column.list(items);
        }
    }
}

impl Fields for Rows {
    fn text(&mut self, key: Key, value: Text<'_>) {
        let is_time = key.column().kind == Kind::Time;
        self.put(key, |values| match (values, value) {
            (Values::Integer(values), Text::Time(time)) if is_time => {
                values.push(i64::try_from(time.as_nanos() / 1_000).unwrap_or(i64::MAX));
                8
            }
            (Values::Integer(values), Text::Second(date)) if is_time => {
                values.push(date.as_seconds().saturating_mul(1_000_000));
                8
            }
            (Values::Text(values), value) => {
                let text = value.to_string();
                let bytes = text.len();
                values.push(ByteArray::from(text.into_bytes()));
                bytes
            }
            _ => 0,
        });
    }

    fn integer(&mut self, key: Key, value: u64) {
        self.put(key, |values| {
            if let Values::Integer(values) = values {
                values.push(i64::try_from(value).unwrap_or(i64::MAX));
            }
            8
        });
    }

    fn seconds(&mut self, key: Key, value: Duration) {
        self.put(key, |values| {
            if let Values::Double(values) = values {
                // One rounding, as whoever reads the decimals of JSON Lines makes it.
                values.push(value.as_nanos() as f64 / 1e9);
            }
            8
        });
    }

    fn flag(&mut self, key: Key, value: bool) {
        self.put(key, |values| {
            if let Values::Flag(values) = values {
                values.push(value);
            }
            1
        });
    }

    fn list<'a>(&mut self, key: Key, values: impl Iterator<Item = Text<'a>>) {
        self.put_list(key as usize, values.map(|value| value.to_string()));
    }

    fn sightings(&mut self, key: Key, sightings: &[Sighting]) {
        self.put_list(key as usize, sightings.iter().map(super::csv::sighting_text));
    }

    fn translated(&mut self, key: Key, pairs: &[(SocketAddr, SocketAddr)]) {
        self.put_list(key as usize, pairs.iter().map(|(client, server)| format!("{client}>{server}")));
    }

    fn violations(&mut self, key: Key, violations: &[Violation]) {
        let parts: [fn(&Violation) -> &str; 5] = [
            |violation| violation.rule,
            |violation| violation.severity.as_str(),
            |violation| &violation.offending,
            |violation| &violation.message,
            |violation| &violation.remedy,
        ];
        for (index, part) in parts.into_iter().enumerate() {
            self.put_list(
                key as usize + index,
                violations.iter().map(|violation| part(violation).to_owned()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;
    use crate::export::sample;

    fn file(records: &[Record]) -> bytes::Bytes {
        let mut sink = Parquet::new(Vec::new()).unwrap();
        for record in records {
            sink.record(record).unwrap();
        }
        sink.finish(&Accounts::default()).unwrap();
        sink.into_inner().into()
    }

    #[test]
    fn has_the_violations_last() {
        assert_eq!(Key::ALL.last(), Some(&Key::Violations), "their columns are counted from there");
    }

    #[test]
    fn has_every_key_under_its_name_with_its_type() {
        let reader = SerializedFileReader::new(file(&[])).unwrap();
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, Key::ALL.iter().map(|key| key.column().name).collect::<Vec<_>>());
        assert_eq!(reader.metadata().num_row_groups(), 0);
    }

    #[test]
    fn gives_back_what_was_written() {
        let records = sample::all();
        let reader = SerializedFileReader::new(file(&records)).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), records.len());
        for (row, record) in rows.iter().zip(&records) {
            let at = |key: Key| key as usize;
            assert_eq!(row.get_string(at(Key::ClientAddress)).unwrap(), &record.client.ip().to_string());
            assert_eq!(row.get_long(at(Key::ServerPort)).unwrap(), i64::from(record.server.port()));
            let found = record.policy.iter().flat_map(|policy| &policy.violations).count();
            let list = row.get_list(at(Key::Violations)).map_or(0, parquet::record::List::len);
            assert_eq!(list, found);
        }
    }

    #[test]
    fn bounds_a_row_group() {
        let mut sink = Parquet::new(Vec::new()).unwrap();
        let record = sample::tls12();
        for _ in 0..MAX_GROUP_ROWS + 10 {
            sink.record(&record).unwrap();
            assert!(sink.waiting_bytes() <= MAX_GROUP_BYTES);
        }
        sink.finish(&Accounts::default()).unwrap();
        let bytes: bytes::Bytes = sink.into_inner().into();
        let reader = SerializedFileReader::new(bytes).unwrap();
        assert!(reader.metadata().num_row_groups() >= 2);
        let rows: i64 = reader.metadata().file_metadata().num_rows();
        assert_eq!(rows, MAX_GROUP_ROWS as i64 + 10);
    }

    #[test]
    fn gives_the_same_bytes_again() {
        assert_eq!(file(&sample::all()), file(&sample::all()));
    }
}
