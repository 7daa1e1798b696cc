//! Rich texts: [`Document`].

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::error::Fault;
use crate::id::UserId;
use crate::limits::Limit;

/// A rich text as JSON: a ProseMirror document (<https://prosemirror.net/docs/ref/#model.Document_Structure>), or any other JSON
/// object of at most 256 KiB and 64 levels of nesting. It is stored unchanged. This library reads no text and no mentions from a
/// node that it does not know or that is malformed; only the front end interprets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Value);

impl Document {
    /// The maximum size of a document, in bytes of compact JSON.
    pub const MAX_BYTES: usize = Limit::DocumentBytes.default_value() as usize;
    /// The maximum depth of nested objects and arrays.
    pub const MAX_DEPTH: usize = Limit::DocumentDepth.default_value() as usize;

    /// Checks a document.
    ///
    /// # Errors
    /// `NOT_AN_OBJECT`, `TOO_DEEP`, `TOO_LARGE`.
    pub fn parse(value: Value) -> Result<Self, Fault> {
        if !value.is_object() {
            return Err(Fault::new("NOT_AN_OBJECT", "A document is a JSON object."));
        }
        if depth(&value) > Self::MAX_DEPTH {
            return Err(Fault::new("TOO_DEEP", "Nest a document at most 64 deep."));
        }
        if value.to_string().len() > Self::MAX_BYTES {
            return Err(Fault::new("TOO_LARGE", "A document has at most 256 KiB."));
        }
        Ok(Self(value))
    }

    /// Takes a stored document; `None` if it is not JSON.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// A document of plain paragraphs, one for each line of a text: for imported texts.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let paragraph = |line: &str| match line {
            "" => serde_json::json!({"type": "paragraph"}),
            line => serde_json::json!({"type": "paragraph", "content": [{"type": "text", "text": line}]}),
        };
        let content: Vec<Value> = text.lines().map(paragraph).collect();
        Self(serde_json::json!({"type": "doc", "content": content}))
    }

    /// The JSON.
    #[must_use]
    pub const fn as_json(&self) -> &Value {
        &self.0
    }

    /// The compact JSON text, as storages store it.
    #[must_use]
    pub fn to_stored(&self) -> String {
        self.0.to_string()
    }

    /// The plain text: the text of every text node, with a line for each block.
    #[must_use]
    pub fn plain_text(&self) -> String {
        let mut text = String::new();
        write_text(&self.0, &mut text);
        text.trim().to_owned()
    }

    /// The plain text, with the mentioned people replaced.
    pub(crate) fn with_mentions(&self, map: &dyn Fn(UserId) -> UserId) -> Self {
        let mut changed = self.0.clone();
        change_mentions(&mut changed, map);
        Self(changed)
    }

    /// The mentioned users: the `attrs.id` of every node of the type `mention`, if it is the id of a user.
    #[must_use]
    pub fn mentions(&self) -> BTreeSet<UserId> {
        let mut found = BTreeSet::new();
        collect_mentions(&self.0, &mut found);
        found
    }
}

// Both functions recurse at most 128 levels deep, which is the limit of the parser of `serde_json`.

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn write_text(node: &Value, text: &mut String) {
    match node["type"].as_str() {
        Some("text") => text.push_str(node["text"].as_str().unwrap_or_default()),
        Some("mention") => {
            let label = node["attrs"]["label"].as_str().unwrap_or_default();
            // Writing to a string does not fail.
            let _ = write!(text, "@{label}");
        }
        Some("hardBreak" | "hard_break") => text.push('\n'),
        kind => {
            for child in node["content"].as_array().into_iter().flatten() {
                write_text(child, text);
            }
            if kind.is_some() && !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
        }
    }
}

fn collect_mentions(node: &Value, found: &mut BTreeSet<UserId>) {
    if node["type"] == "mention" {
        found.extend(node["attrs"]["id"].as_str().and_then(|id| id.parse::<UserId>().ok()));
    }
    for child in node["content"].as_array().into_iter().flatten() {
        collect_mentions(child, found);
    }
}

fn change_mentions(node: &mut Value, map: &dyn Fn(UserId) -> UserId) {
    if node["type"] == "mention"
        && let Some(id) = node["attrs"]["id"].as_str().and_then(|id| id.parse::<UserId>().ok())
    {
        node["attrs"]["id"] = Value::String(map(id).to_string());
    }
    for child in node.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
        change_mentions(child, map);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(depth: usize) -> Value {
        (1..depth).fold(json!({}), |inner, _| json!({ "content": inner }))
    }

    #[test]
    fn only_objects_within_the_limits_are_documents() {
        assert!(Document::parse(json!({})).is_ok());
        assert!(Document::parse(json!({"type": 7, "content": "no list"})).is_ok(), "malformed, and kept");
        assert_eq!(Document::parse(json!([])).unwrap_err().code, "NOT_AN_OBJECT");
        assert_eq!(Document::parse(json!("text")).unwrap_err().code, "NOT_AN_OBJECT");
        assert!(Document::parse(nested(64)).is_ok());
        assert_eq!(Document::parse(nested(65)).unwrap_err().code, "TOO_DEEP");
        let text = |length| json!({ "t": "x".repeat(length) });
        assert!(Document::parse(text(Document::MAX_BYTES - 8)).is_ok());
        assert_eq!(Document::parse(text(Document::MAX_BYTES - 7)).unwrap_err().code, "TOO_LARGE");
    }

    #[test]
    fn mentions_are_found_wherever_they_stand_and_malformed_ones_are_passed_over() {
        let ada = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
        let document = Document::parse(json!({"type": "doc", "content": [
            {"type": "paragraph", "content": [
                {"type": "mention", "attrs": {"id": ada, "label": "Ada"}},
                {"type": "mention", "attrs": {"id": ada.to_uppercase()}},
                {"type": "mention", "attrs": {"id": 7}},
                {"type": "mention", "attrs": "none"},
                {"type": "mention"},
                "not a node", null, 7,
            ]},
            {"type": "mention", "content": {"not": "a list"}},
        ]}));
        let found: Vec<String> = document.unwrap().mentions().iter().map(ToString::to_string).collect();
        assert_eq!(found, [ada]);
    }

    #[test]
    fn a_reader_sees_the_text_of_blocks_line_by_line() {
        let document = Document::of_text("One\n\nTwo & three");
        assert_eq!(document.plain_text(), "One\nTwo & three");
        let mention = json!({"type": "doc", "content": [{"type": "paragraph", "content": [
            {"type": "text", "text": "Ask "}, {"type": "mention", "attrs": {"label": "Ada"}},
            {"type": "hardBreak"}, {"type": "text", "text": "soon"}]}]});
        assert_eq!(Document::parse(mention).unwrap().plain_text(), "Ask @Ada\nsoon");
        assert_eq!(Document::parse(json!({"content": 1})).unwrap().plain_text(), "");
    }
}
