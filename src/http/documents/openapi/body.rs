//! Bodies of requests.

use serde_json::{Value, json};

/// What the body of an operation is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// Whatever the content type says.
    Document,
    Patch,
    NewDocument,
    Transaction,
}

impl Body {
    pub(super) fn describe(self) -> Value {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let content = match self {
            Self::Document => json!({
                "application/json": {"schema": {}},
                "text/plain": {"schema": {"type": "string"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "*/*": {"schema": {"type": "string", "format": "binary"}},
            }),
            Self::Patch => json!({
                "application/merge-patch+json": {"schema": {}},
                "application/json-patch+json": {"schema": reference("JsonPatch")},
            }),
            Self::NewDocument => json!({"application/json": {"schema": reference("NewDocument")}}),
            Self::Transaction => json!({"application/json": {"schema": reference("Transaction")}}),
        };
        let description = match self {
            Self::Document => {
                "Any content, kept verbatim with its content type (application/octet-stream without one); but what is said \
                 to be JSON has to be JSON."
            }
            Self::Patch => "A merge patch (RFC 7396) or a JSON patch (RFC 6902).",
            Self::NewDocument => "The key, and the document.",
            Self::Transaction => "What has to hold, and what is to be written if it does.",
        };
        json!({"description": description, "required": self.is_required(), "content": content})
    }

    /// A document may have no bytes.
    fn is_required(self) -> bool {
        !matches!(self, Self::Document)
    }
}
