//! `_prettyPrint=true` (crest.md §6): two spaces per object, ` : `, arrays on one line.

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io;

#[derive(Default)]
struct Pretty {
    depth: usize,
    filled: bool,
}

impl Pretty {
    fn line<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Pretty {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"[ ")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.filled { b" ]" } else { b"]" })
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.line(writer)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.filled = false;
        writer.write_all(b" : ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.line(writer)?
        } else {
            writer.write_all(b" ")?
        }
        writer.write_all(b"}")
    }
}

/// `value` as text, compact or pretty. Nothing that the framework writes fails to serialize.
pub(super) fn write(value: &impl Serialize, pretty: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let written = if pretty {
        value.serialize(&mut Serializer::with_formatter(&mut out, Pretty::default()))
    } else {
        value.serialize(&mut Serializer::new(&mut out))
    };
    if let Err(error) = written {
        tracing::error!(%error, "an answer was not serialized");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_looks_like_the_reference() {
        let value =
            json!({"a": [1, 2], "b": [], "c": {}, "d": [{"x": null}, {"y": "z"}], "e": {"f": true}, "g": [[], [1]]});
        let text = "{\n  \"a\" : [ 1, 2 ],\n  \"b\" : [ ],\n  \"c\" : { },\n  \"d\" : [ {\n    \"x\" : null\n  }, {\n    \
                    \"y\" : \"z\"\n  } ],\n  \"e\" : {\n    \"f\" : true\n  },\n  \"g\" : [ [ ], [ 1 ] ]\n}";
        assert_eq!(String::from_utf8(write(&value, true)).expect("UTF-8"), text);
        assert_eq!(String::from_utf8(write(&json!({"a": [1]}), false)).expect("UTF-8"), r#"{"a":[1]}"#);
    }
}
