//! A query in Athena's words.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Distinct, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident, LimitClause, ObjectName, ObjectNamePart,
    OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectItem, Statement, TableFactor, Value, Visit,
    VisitMut, Visitor, VisitorMut, WildcardAdditionalOptions, WindowType, visit_expressions_mut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use crate::tables::Table;

/// Why a query cannot be written for Athena.
#[derive(Debug, thiserror::Error)]
pub enum AthenaError {
    /// The text is no query.
    #[error("cannot understand the query: {0}")]
    Sql(String),
    /// More than one query, or a command.
    #[error("one query is written at a time, and nothing but a query")]
    NoQuery,
    /// A table that is not in S3.
    #[error("table `{0}` does not lie in S3; `flows` and `events` do")]
    Table(String),
    /// A column that only this program can fill.
    #[error("column `{0}` is known here only, not in Athena")]
    Column(String),
    /// A function of which it is not known that Athena has the same.
    #[error("function `{0}` may not be the same in Athena")]
    Function(String),
    /// Something else that Athena has not.
    #[error("{0} has no equivalent in Athena")]
    Other(String),
    /// A field that no flow log has.
    #[error("`{0}` is no field of VPC flow logs")]
    Field(String),
    /// No place in S3.
    #[error("`{0}` is no place in S3: `s3://BUCKET/PREFIX/`")]
    Place(String),
}

/// Functions that take the same arguments and mean the same in DataFusion and Trino. Not among them, though both have
/// them: `concat`, `greatest` and `least`, which treat null differently, `split_part`, which differs beyond the last
/// part, and `md5`, which gives text here and bytes there.
const SAME: [&str; 43] = [
    "abs",
    "approx_distinct",
    "array_agg",
    "avg",
    "ceil",
    "chr",
    "coalesce",
    "corr",
    "count",
    "cume_dist",
    "date_trunc",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "lag",
    "last_value",
    "lead",
    "length",
    "ln",
    "lower",
    "ltrim",
    "max",
    "min",
    "now",
    "ntile",
    "nullif",
    "percent_rank",
    "power",
    "rank",
    "regexp_like",
    "replace",
    "reverse",
    "round",
    "row_number",
    "rtrim",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "sum",
    "trim",
    "upper",
];

/// Functions that mean the same and are called otherwise.
const RENAMED: [(&str, &str); 6] = [
    ("approx_percentile_cont", "approx_percentile"),
    ("bool_and", "bool_and"),
    ("bool_or", "bool_or"),
    ("character_length", "length"),
    ("to_timestamp", "from_iso8601_timestamp"),
    ("to_timestamp_seconds", "from_unixtime"),
];

/// Columns that a declaration gives, or the reader of the files.
const OURS_ALONE: [&str; 16] = [
    "src",
    "src_kind",
    "src_name",
    "src_asset",
    "dst",
    "dst_kind",
    "dst_name",
    "dst_asset",
    "purpose",
    "flow",
    "reply",
    "line",
    "record",
    "rule",
    "state",
    "useridentity",
];

/// The query, and the tables that it reads.
pub(crate) fn query(sql: &str) -> Result<(String, Vec<Table>), AthenaError> {
    let mut statements =
        Parser::parse_sql(&GenericDialect {}, sql).map_err(|error| AthenaError::Sql(error.to_string()))?;
    let (Some(Statement::Query(mut query)), true) = (statements.pop(), statements.is_empty()) else {
        return Err(AthenaError::NoQuery);
    };
    let mut check = Check::default();
    if let ControlFlow::Break(error) = query.visit(&mut check) {
        return Err(error);
    }
    let mut failed = None;
    let flow = visit_expressions_mut(&mut query, |expression| match rewrite(expression) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    if let (ControlFlow::Break(()), Some(error)) = (flow, failed) {
        return Err(error);
    }
    let ControlFlow::Continue(()) = VisitMut::visit(&mut query, &mut NullsAsHere);
    // Trino has the offset before the limit.
    let limit = query.limit_clause.take();
    let mut text = query.to_string();
    if let Some(limit) = limit {
        text.push_str(&limit_of(&limit)?);
    }
    Ok((text, check.tables.into_iter().collect()))
}

fn limit_of(limit: &LimitClause) -> Result<String, AthenaError> {
    let LimitClause::LimitOffset { limit, offset, limit_by } = limit else {
        return Err(AthenaError::Other("`LIMIT` with a comma".to_owned()));
    };
    if !limit_by.is_empty() {
        return Err(AthenaError::Other("`LIMIT BY`".to_owned()));
    }
    let offset = offset.as_ref().map_or_else(String::new, |offset| format!(" OFFSET {}", offset.value));
    let limit = limit.as_ref().map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    Ok(offset + &limit)
}

/// Looks for what has no equivalent.
#[derive(Default)]
struct Check {
    tables: BTreeSet<Table>,
    /// Names of common table expressions.
    own: BTreeSet<String>,
    depth: usize,
}

fn refuse<T: Into<String>>(what: T) -> ControlFlow<AthenaError> {
    ControlFlow::Break(AthenaError::Other(what.into()))
}

impl Visitor for Check {
    type Break = AthenaError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<AthenaError> {
        self.depth += 1;
        if let Some(with) = &query.with {
            self.own.extend(with.cte_tables.iter().map(|table| table.alias.name.value.to_lowercase()));
        }
        let nested_offset = matches!(
            &query.limit_clause,
            Some(LimitClause::LimitOffset { offset: Some(_), .. } | LimitClause::OffsetCommaLimit { .. })
        );
        if self.depth > 1 && nested_offset {
            return refuse("`OFFSET` inside of a query");
        }
        if !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return refuse("a clause behind the query");
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<AthenaError> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<AthenaError> {
        if matches!(select.distinct, Some(Distinct::On(_))) {
            return refuse("`DISTINCT ON`");
        }
        if matches!(select.group_by, GroupByExpr::All(_)) {
            return refuse("`GROUP BY ALL`");
        }
        if select.qualify.is_some()
            || select.into.is_some()
            || select.top.is_some()
            || !select.lateral_views.is_empty()
        {
            return refuse("`QUALIFY`, `INTO`, `TOP` and `LATERAL VIEW`");
        }
        for item in &select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item {
                let WildcardAdditionalOptions {
                    opt_ilike,
                    opt_exclude,
                    opt_except,
                    opt_replace,
                    opt_rename,
                    ..
                } = options;
                if opt_ilike.is_some()
                    || opt_exclude.is_some()
                    || opt_except.is_some()
                    || opt_replace.is_some()
                    || opt_rename.is_some()
                {
                    return refuse("`*` with exceptions");
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<AthenaError> {
        match factor {
            TableFactor::Table { args: None, with_hints, sample: None, version: None, .. }
                if with_hints.is_empty() =>
            {
                ControlFlow::Continue(())
            }
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            _ => refuse("a table that is made by a function"),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<AthenaError> {
        let name = relation.to_string().to_lowercase();
        match name.as_str() {
            own if self.own.contains(own) => {}
            "flows" => {
                self.tables.insert(Table::Flows);
            }
            "events" => {
                self.tables.insert(Table::Events);
            }
            _ => return ControlFlow::Break(AthenaError::Table(relation.to_string())),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<AthenaError> {
        let column = match expression {
            Expr::Identifier(column) => Some(column),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        if let Some(column) =
            column.filter(|column| OURS_ALONE.contains(&column.value.to_lowercase().as_str()))
        {
            return ControlFlow::Break(AthenaError::Column(column.value.clone()));
        }
        match expression {
            Expr::Array(_)
            | Expr::Struct { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::CompoundFieldAccess { .. } => refuse("a list or a structure"),
            Expr::SimilarTo { .. } | Expr::RLike { .. } | Expr::JsonAccess { .. } | Expr::Collate { .. } => {
                refuse(format!("`{expression}`"))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Says where null stands in an order: Trino puts it last in either direction, DataFusion first in a descending one.
struct NullsAsHere;

impl VisitorMut for NullsAsHere {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        if let Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) = &mut query.order_by {
            state_nulls(order);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        if let Expr::Function(function) = expression {
            if let Some(WindowType::WindowSpec(window)) = &mut function.over {
                state_nulls(&mut window.order_by);
            }
            if let FunctionArguments::List(list) = &mut function.args {
                for clause in &mut list.clauses {
                    if let FunctionArgumentClause::OrderBy(order) = clause {
                        state_nulls(order);
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn state_nulls(order: &mut [OrderByExpr]) {
    for by in order {
        let descending = by.options.asc == Some(false);
        by.options.nulls_first.get_or_insert(descending);
    }
}

/// Spells one expression as Athena does.
fn rewrite(expression: &mut Expr) -> Result<(), AthenaError> {
    match expression {
        Expr::Cast { kind, data_type, .. } => {
            if *kind == CastKind::DoubleColon {
                *kind = CastKind::Cast;
            }
            *data_type = kind_of(data_type)?;
        }
        Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
            *expression = Expr::Like {
                negated: *negated,
                any: false,
                expr: Box::new(call("lower", vec![(**expr).clone()])),
                pattern: Box::new(call("lower", vec![(**pattern).clone()])),
                escape_char: escape_char.take(),
            };
        }
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::PGRegexMatch => {
                *expression = call("regexp_like", vec![(**left).clone(), (**right).clone()]);
            }
            BinaryOperator::PGRegexNotMatch => {
                let matched = call("regexp_like", vec![(**left).clone(), (**right).clone()]);
                *expression =
                    Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Not, expr: Box::new(matched) };
            }
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::StringConcat
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::And
            | BinaryOperator::Or => {}
            other => return Err(AthenaError::Other(format!("operator `{other}`"))),
        },
        Expr::Function(function) => function_of(function)?,
        _ => {}
    }
    Ok(())
}

fn function_of(function: &mut Function) -> Result<(), AthenaError> {
    let name = function.name.to_string().to_lowercase();
    if name == "string_agg" {
        return Err(AthenaError::Function(name));
    }
    if SAME.contains(&name.as_str()) {
        return Ok(());
    }
    let Some((_, renamed)) = RENAMED.iter().find(|(known, _)| *known == name) else {
        return Err(AthenaError::Function(name));
    };
    // A time of text, and no number: Trino's function for one is not that for the other.
    if name == "to_timestamp"
        && let FunctionArguments::List(list) = &function.args
        && (list.args.len() != 1
            || matches!(
                list.args.first(),
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))) if matches!(value.value, Value::Number(..))
            ))
    {
        return Err(AthenaError::Function(name));
    }
    function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(*renamed))]);
    Ok(())
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(sqlparser::ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments
                .into_iter()
                .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
                .collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// A type as Trino names it.
fn kind_of(kind: &DataType) -> Result<DataType, AthenaError> {
    Ok(match kind {
        DataType::Text | DataType::String(None) | DataType::Varchar(None) => DataType::Varchar(None),
        DataType::BigInt(_) | DataType::Int8(_) | DataType::Int64 => DataType::BigInt(None),
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => DataType::Integer(None),
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 | DataType::Float64 => {
            DataType::Double(sqlparser::ast::ExactNumberInfo::None)
        }
        DataType::Boolean | DataType::Bool => DataType::Boolean,
        DataType::Date | DataType::Timestamp(..) => kind.clone(),
        other => return Err(AthenaError::Other(format!("type `{other}`"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &str) {
        assert_eq!(query(sql).unwrap().0, expected);
    }

    #[test]
    fn what_is_spelt_otherwise_is_rewritten() {
        check(
            "SELECT srcaddr, sum(bytes)::text FROM flows WHERE \"end\" > 5 GROUP BY srcaddr ORDER BY 2 DESC LIMIT 10 OFFSET 5",
            "SELECT srcaddr, CAST(sum(bytes) AS VARCHAR) FROM flows WHERE \"end\" > 5 GROUP BY srcaddr ORDER BY 2 DESC NULLS FIRST OFFSET 5 LIMIT 10",
        );
        check(
            "SELECT count(*) FROM events WHERE useragent ILIKE '%CLI%' AND action ~ '^kms:'",
            "SELECT count(*) FROM events WHERE lower(useragent) LIKE lower('%CLI%') AND regexp_like(action, '^kms:')",
        );
        check(
            "SELECT date_trunc('hour', to_timestamp(eventtime)) AS hour, row_number() OVER (ORDER BY eventtime) FROM events",
            "SELECT date_trunc('hour', from_iso8601_timestamp(eventtime)) AS hour, row_number() OVER (ORDER BY eventtime NULLS LAST) FROM events",
        );
        check(
            "WITH top AS (SELECT srcaddr FROM flows) SELECT * FROM top JOIN events ON sourceipaddress = srcaddr",
            "WITH top AS (SELECT srcaddr FROM flows) SELECT * FROM top JOIN events ON sourceipaddress = srcaddr",
        );
    }

    #[test]
    fn only_the_tables_that_are_read_are_made() {
        let tables = |sql| query(sql).unwrap().1;
        assert_eq!(tables("SELECT 1"), []);
        assert_eq!(tables("SELECT 1 FROM events"), [Table::Events]);
        assert_eq!(tables("SELECT 1 FROM events, (SELECT * FROM flows) f"), [Table::Flows, Table::Events]);
    }

    #[track_caller]
    fn refused(sql: &str, because: &str) {
        let error = query(sql).unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn what_may_mean_something_else_is_refused() {
        refused("SELEC 1", "cannot understand");
        refused("SELECT 1; SELECT 2", "one query");
        refused("DROP TABLE flows", "one query");
        refused("SELECT * FROM activity", "`activity` does not lie in S3");
        refused("SELECT purpose FROM flows", "`purpose` is known here only");
        refused("SELECT flows.line FROM flows", "`line` is known here only");
        refused("SELECT concat(srcaddr, 'x') FROM flows", "function `concat`");
        refused("SELECT greatest(start, \"end\") FROM flows", "function `greatest`");
        refused("SELECT to_timestamp(5) FROM flows", "function `to_timestamp`");
        refused("SELECT srcaddr, count(*) FROM flows GROUP BY ALL", "GROUP BY ALL");
        refused("SELECT DISTINCT ON (srcaddr) srcaddr FROM flows", "DISTINCT ON");
        refused("SELECT * EXCLUDE (bytes) FROM flows", "`*` with exceptions");
        refused("SELECT * FROM (SELECT * FROM flows LIMIT 5 OFFSET 5)", "OFFSET");
        refused("SELECT bytes::blob FROM flows", "type `BLOB`");
        refused("SELECT * FROM generate_series(1, 5)", "function");
        refused("SELECT bytes & 3 FROM flows", "operator `&`");
    }
}
