//! The format OpenMetrics, with exemplars of histograms, for clients that ask for it.

use std::fmt::Write as _;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::exemplars::Exemplars;

/// The media type of OpenMetrics.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// True if an `Accept` prefers OpenMetrics to the older text format.
pub(super) fn is_preferred(accept: &str) -> bool {
    let weight = |wanted: &str| {
        let ranges = accept.split(',').map(|range| range.split(';').map(str::trim));
        let weights = ranges.filter_map(|mut range| {
            range.next().filter(|kind| kind.eq_ignore_ascii_case(wanted))?;
            let weight = range.find_map(|parameter| parameter.strip_prefix("q="));
            weight.map_or(Some(1.0), |weight| weight.parse::<f64>().ok())
        });
        weights.fold(0.0, f64::max)
    };
    let open = weight("application/openmetrics-text");
    open > 0.0 && open >= weight("text/plain")
}

/// All families, with their exemplars.
pub(super) fn encode(families: &[MetricFamily], exemplars: &Exemplars) -> String {
    let mut text = String::new();
    for family in families {
        write_family(&mut text, family, exemplars);
    }
    text.push_str("# EOF\n");
    text
}

fn write_family(text: &mut String, family: &MetricFamily, exemplars: &Exemplars) {
    let is_counter = family.get_field_type() == MetricType::COUNTER;
    let name = family.name();
    let name = if is_counter { name.strip_suffix("_total").unwrap_or(name) } else { name };
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY | MetricType::UNTYPED => "unknown",
    };
    let _ = writeln!(text, "# TYPE {name} {kind}");
    if let Some(unit) = ["seconds", "bytes"].iter().find(|unit| name.ends_with(&format!("_{unit}")))
    {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
    let _ = writeln!(text, "# HELP {name} {}", escaped(family.help()));
    for metric in family.get_metric() {
        let labels = metric.get_label();
        match family.get_field_type() {
            MetricType::COUNTER => {
                let value = number(metric.get_counter().get_value());
                let _ = writeln!(text, "{name}_total{} {value}", set(labels, None));
            }
            MetricType::HISTOGRAM => write_histogram(text, name, metric, exemplars),
            _ => {
                let value = number(metric.get_gauge().get_value());
                let _ = writeln!(text, "{name}{} {value}", set(labels, None));
            }
        }
    }
}

fn write_histogram(text: &mut String, name: &str, metric: &Metric, exemplars: &Exemplars) {
    let (histogram, labels) = (metric.get_histogram(), metric.get_label());
    let count = histogram.get_sample_count();
    let buckets = histogram.get_bucket().iter();
    let buckets = buckets.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    let label = labels.first().map_or("", LabelPair::value);
    for (bound, within) in buckets.chain([(f64::INFINITY, count)]) {
        let _ = write!(text, "{name}_bucket{} {within}", set(labels, Some(bound)));
        if let Some((value, exemplar)) = exemplars.of(name, label, bound) {
            let at = exemplar.at.timestamp_millis() as f64 / 1000.0;
            let value = number(value);
            let _ = write!(text, " # {{trace_id=\"{}\"}} {value} {at:.3}", exemplar.trace);
        }
        text.push('\n');
    }
    let labels = set(labels, None);
    let _ = writeln!(text, "{name}_sum{labels} {}", number(histogram.get_sample_sum()));
    let _ = writeln!(text, "{name}_count{labels} {count}");
}

fn set(labels: &[LabelPair], bound: Option<f64>) -> String {
    let pair = |label: &LabelPair| format!("{}=\"{}\"", label.name(), escaped(label.value()));
    let bound = bound.map(|bound| format!("le=\"{}\"", number(bound)));
    let pairs: Vec<String> = labels.iter().map(pair).chain(bound).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

/// With a point, also where it is whole.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    format!("{value:?}")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_ask_for_it_get_it() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2,*/*;q=0.1", true),
            ("application/openmetrics-text; version=1.0.0; q=0.2, text/plain", false),
            ("application/openmetrics-text;q=0", false),
        ] {
            assert_eq!(is_preferred(accept), expected, "{accept}");
        }
    }
}
