//! What a PromQL expression selects, and inside of which functions: as much of the language as the rules for
//! dashboards need. Whether an expression is valid, Prometheus itself says.

/// One selector of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub metric: String,
    /// Label, operator, value.
    pub matchers: Vec<(String, String, String)>,
    /// What stands in the brackets after it.
    pub range: Option<String>,
    /// What stands after `offset`.
    pub offset: Option<String>,
    /// The functions and aggregations around it, outermost first.
    pub functions: Vec<String>,
}

/// The selectors, and the labels in `by`, `on`, `without`, `ignoring` and `group_left`.
#[derive(Debug, Default)]
pub struct Expression {
    pub selectors: Vec<Selector>,
    pub labels: Vec<String>,
}

const LABEL_LISTS: [&str; 6] = ["by", "on", "without", "ignoring", "group_left", "group_right"];
const KEYWORDS: [&str; 6] = ["and", "or", "unless", "bool", "offset", "inf"];

/// Reads an expression in which `$variables` may stand.
pub fn read(text: &str) -> Expression {
    let mut reader = Reader { rest: text, found: Expression::default(), open: Vec::new() };
    reader.run();
    reader.found
}

struct Reader<'a> {
    rest: &'a str,
    found: Expression,
    /// For each open parenthesis what stood before it.
    open: Vec<String>,
}

impl<'a> Reader<'a> {
    fn run(&mut self) {
        // An aggregation may have its labels first: `sum by (a) (…)`; then it still waits for its parenthesis.
        let mut waiting = String::new();
        while let Some(next) = self.rest.chars().next() {
            match next {
                '(' => {
                    self.skip(1);
                    self.open.push(std::mem::take(&mut waiting));
                }
                ')' => {
                    self.skip(1);
                    self.open.pop().expect("parentheses are balanced");
                }
                '"' => {
                    self.until('"');
                }
                '[' => {
                    // A subquery, or the range of a selector without matchers, which is taken below.
                    self.until(']');
                }
                '$' | '0'..='9' => {
                    self.word();
                }
                'a'..='z' | 'A'..='Z' | '_' => {
                    let word = self.word();
                    self.spaces();
                    if LABEL_LISTS.contains(&word) {
                        assert!(self.rest.starts_with('('), "{word} has a list");
                        let list = self.until(')');
                        let labels = list.split(',').map(str::trim).filter(|label| !label.is_empty());
                        self.found.labels.extend(labels.map(str::to_owned));
                    } else if self.rest.starts_with('(')
                        || LABEL_LISTS.iter().any(|list| self.rest.starts_with(&format!("{list} (")))
                    {
                        word.clone_into(&mut waiting);
                    } else if !KEYWORDS.contains(&word) {
                        self.selector(word);
                    }
                    if KEYWORDS.contains(&word) {
                        waiting.clear();
                    }
                }
                _ => self.skip(next.len_utf8()),
            }
        }
        assert!(self.open.is_empty(), "parentheses are balanced");
    }

    fn selector(&mut self, metric: &str) {
        let mut matchers = Vec::new();
        if self.rest.starts_with('{') {
            let mut list = self.until_unquoted('}');
            while !list.trim().is_empty() {
                let at = list.find(['=', '!']).expect("a matcher has an operator");
                let (label, rest) = list.split_at(at);
                let at = rest.find('"').expect("a matcher has a value");
                let (operator, rest) = rest.split_at(at);
                let (value, rest) = rest[1..].split_once('"').expect("a value ends");
                matchers.push((
                    label.trim_matches([',', ' ']).to_owned(),
                    operator.trim().to_owned(),
                    value.to_owned(),
                ));
                list = rest;
            }
        }
        let range = self.rest.starts_with('[').then(|| self.until(']').to_owned());
        self.spaces();
        let offset = self.rest.strip_prefix("offset ").map(|rest| {
            self.rest = rest;
            self.word().to_owned()
        });
        let functions = self.open.iter().filter(|name| !name.is_empty()).cloned().collect();
        self.found.selectors.push(Selector { metric: metric.to_owned(), matchers, range, offset, functions });
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Letters, digits, `_`, `:`, `.` and `$`.
    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "_:.$".contains(c)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// What stands between the bracket at the beginning and its end.
    fn until(&mut self, end: char) -> &'a str {
        let (inside, rest) = self.rest[1..].split_once(end).expect("what begins ends");
        self.rest = rest;
        inside
    }

    fn until_unquoted(&mut self, end: char) -> &'a str {
        let mut is_quoted = false;
        let at = self
            .rest
            .find(|c: char| {
                is_quoted ^= c == '"';
                c == end && !is_quoted
            })
            .expect("matchers end");
        let inside = &self.rest[1..at];
        self.rest = &self.rest[at + 1..];
        inside
    }
}

#[test]
fn reads_selectors_with_what_is_around_them() {
    let found = read(
        r#"topk(10, sum by (job, rule) (rate(a_total{job=~"$job", x!="{}"}[$__rate_interval])) > 0) and b offset $__range"#,
    );
    assert_eq!(found.labels, ["job", "rule"]);
    let [first, second] = &found.selectors[..] else { panic!("{found:?}") };
    assert_eq!(first.metric, "a_total");
    assert_eq!(first.functions, ["topk", "sum", "rate"]);
    assert_eq!(first.range.as_deref(), Some("$__rate_interval"));
    assert_eq!(first.matchers[1], ("x".to_owned(), "!=".to_owned(), "{}".to_owned()));
    assert_eq!((second.metric.as_str(), second.offset.as_deref()), ("b", Some("$__range")));
    assert!(second.functions.is_empty());
    let found =
        read("increase((sum by (job) (c_total or 0 * d))[1h:1m] offset 1d) / scalar(sum(e)) == bool 0");
    let names: Vec<_> = found.selectors.iter().map(|one| one.metric.as_str()).collect();
    assert_eq!(names, ["c_total", "d", "e"]);
    assert_eq!(found.selectors[0].functions, ["increase", "sum"]);
}
