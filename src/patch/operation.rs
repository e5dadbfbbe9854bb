//! One operation of a JSON patch.

use crate::json::{Json, JsonPointer};

use super::OperationFault;

/// RFC 6902 section 4.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Add { path: JsonPointer, value: Json },
    Remove { path: JsonPointer },
    Replace { path: JsonPointer, value: Json },
    Move { from: JsonPointer, path: JsonPointer },
    Copy { from: JsonPointer, path: JsonPointer },
    Test { path: JsonPointer, value: Json },
}

impl Operation {
    /// Members that the operation does not know are ignored, as the RFC wants.
    pub(super) fn parse(operation: &Json) -> Result<Self, OperationFault> {
        if operation.as_object().is_none() {
            return Err(OperationFault::NotAnObject);
        }
        let path = |name| pointer(operation, name);
        match text(operation, "op")? {
            "add" => Ok(Self::Add { path: path("path")?, value: value(operation)? }),
            "replace" => Ok(Self::Replace { path: path("path")?, value: value(operation)? }),
            "test" => Ok(Self::Test { path: path("path")?, value: value(operation)? }),
            "copy" => Ok(Self::Copy { path: path("path")?, from: path("from")? }),
            "remove" => match path("path")? {
                whole if whole.is_root() => Err(OperationFault::RemovesDocument),
                path => Ok(Self::Remove { path }),
            },
            "move" => {
                let (path, from) = (path("path")?, path("from")?);
                if from != path && from.contains(&path) {
                    return Err(OperationFault::MoveIntoItself);
                }
                Ok(Self::Move { from, path })
            }
            _ => Err(OperationFault::UnknownOperation),
        }
    }
}

fn text<'a>(operation: &'a Json, name: &'static str) -> Result<&'a str, OperationFault> {
    let value = operation.get(name).ok_or(OperationFault::MissingMember { name })?;
    value.as_str().ok_or(OperationFault::NotAString { name })
}

fn pointer(operation: &Json, name: &'static str) -> Result<JsonPointer, OperationFault> {
    text(operation, name)?.parse().map_err(|source| OperationFault::NotAPointer { name, source })
}

fn value(operation: &Json) -> Result<Json, OperationFault> {
    operation.get("value").cloned().ok_or(OperationFault::MissingMember { name: "value" })
}
