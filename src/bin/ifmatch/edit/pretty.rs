//! JSON with a member a line, its numbers to the letter.

use ifmatch::json::Json;

const STEP: &str = "  ";

pub(super) fn pretty(json: &Json) -> String {
    let mut text = String::new();
    write(json, 0, &mut text);
    text.push('\n');
    text
}

fn write(json: &Json, depth: usize, text: &mut String) {
    match json {
        Json::Array(elements) if !elements.is_empty() => {
            let mut separator = "[\n";
            for element in elements {
                text.push_str(separator);
                text.push_str(&STEP.repeat(depth + 1));
                write(element, depth + 1, text);
                separator = ",\n";
            }
            close(']', depth, text);
        }
        Json::Object(members) if !members.is_empty() => {
            let mut separator = "{\n";
            for (name, value) in members.iter() {
                text.push_str(separator);
                text.push_str(&STEP.repeat(depth + 1));
                text.push_str(&Json::String(name.to_owned()).to_string());
                text.push_str(": ");
                write(value, depth + 1, text);
                separator = ",\n";
            }
            close('}', depth, text);
        }
        _ => text.push_str(&json.to_string()),
    }
}

fn close(bracket: char, depth: usize, text: &mut String) {
    text.push('\n');
    text.push_str(&STEP.repeat(depth));
    text.push(bracket);
}
