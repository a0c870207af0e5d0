//! One order for every answer, however many readers there were.

use datafusion::common::Result;
use datafusion::logical_expr::{Expr, Limit, LogicalPlan, Projection, Sort, SortExpr};
use std::sync::Arc;

/// Completes the order of a query: rows that it leaves without one, or as equals, are in order of all their columns, from
/// the first to the last, nothing last. A `LIMIT` keeps the first of these.
pub(crate) fn complete(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Limit(Limit { skip, fetch, input }) => {
            LogicalPlan::Limit(Limit { skip, fetch, input: Arc::new(complete(Arc::unwrap_or_clone(input))?) })
        }
        LogicalPlan::Sort(sort) => LogicalPlan::Sort(break_ties(sort)),
        // Ordered by columns that are not shown: they are taken away after the sort.
        LogicalPlan::Projection(projection) if matches!(*projection.input, LogicalPlan::Sort(_)) => {
            let Projection { expr, input, .. } = projection;
            LogicalPlan::Projection(Projection::try_new(
                expr,
                Arc::new(complete(Arc::unwrap_or_clone(input))?),
            )?)
        }
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => plan,
        unordered => {
            LogicalPlan::Sort(break_ties(Sort { expr: Vec::new(), input: Arc::new(unordered), fetch: None }))
        }
    })
}

fn break_ties(mut sort: Sort) -> Sort {
    for column in sort.input.schema().columns() {
        let column = Expr::Column(column);
        if !sort.expr.iter().any(|known| known.expr == column) {
            sort.expr.push(SortExpr { expr: column, asc: true, nulls_first: false });
        }
    }
    sort
}
