//! `DescribeTransactions` and `ListTransactions` (KIP-664).

use std::collections::BTreeMap;

use cadastre_coordinator::{Transaction, TransactionState as State};
use cadastre_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use cadastre_protocol::messages::list_transactions_response::TransactionState as ListedTransaction;
use cadastre_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
    ListTransactionsResponse, ProducerId, TopicName, TransactionalId,
};
use cadastre_protocol::{ResponseError, StrBytes};

use regex::{Regex, RegexBuilder};

use super::context::RequestContext;
use super::groups::text;
use super::operations::{DESCRIBE_TOPIC, DESCRIBE_TRANSACTION};

/// The most memory that a client's pattern may take, in bytes.
const PATTERN_BYTES: usize = 256 << 10;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let refreshed = context.node.transactions.refresh().await;
    let states = request.transactional_ids.into_iter().map(|id| {
        let found = if !context.allows(DESCRIBE_TRANSACTION, &id) {
            Err(ResponseError::TransactionalIdAuthorizationFailed.code())
        } else if id.is_empty() {
            Err(ResponseError::InvalidRequest.code())
        } else {
            let found = refreshed.and_then(|()| context.node.transactions.find(&id));
            match found {
                Ok(Some(transaction)) => Ok(transaction),
                Ok(None) => Err(ResponseError::TransactionalIdNotFound.code()),
                Err(error) => Err(error.code()),
            }
        };
        let state = TransactionState::default().with_transactional_id(id);
        match found {
            Ok(transaction) => describe(context, state, &transaction),
            Err(error) => state.with_error_code(error),
        }
    });
    DescribeTransactionsResponse::default().with_transaction_states(states.collect())
}

fn describe(
    context: &RequestContext<'_>,
    state: TransactionState,
    transaction: &Transaction,
) -> TransactionState {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for partition in transaction.partitions.keys() {
        let Some(topic) = context.node.topics.by_id(partition.topic) else { continue };
        if context.sees(DESCRIBE_TOPIC, &topic.name) {
            topics.entry(topic.name.clone()).or_default().push(partition.partition);
        }
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        TopicData::default().with_topic(TopicName(text(topic))).with_partitions(partitions)
    });
    state
        .with_transaction_state(StrBytes::from_static_str(transaction.state.as_str()))
        .with_transaction_timeout_ms(transaction.timeout_ms)
        .with_transaction_start_time_ms(transaction.started_at_ms.unwrap_or(-1))
        .with_producer_id(ProducerId(transaction.producer.id))
        .with_producer_epoch(transaction.producer.epoch)
        .with_topics(topics.collect())
}

/// A pattern for whole ids, as Kafka's RE2 takes it (KIP-1152). Matching takes time in proportion to the id.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    // Checked by itself first, so that it cannot leave the group.
    let bounded = |pattern: &str| RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
    match pattern {
        "" => bounded(""),
        pattern => bounded(pattern).and_then(|_| bounded(&format!("^(?:{pattern})$"))),
    }
}

/// Lists the transactional ids that this broker looks after; clients ask every broker.
pub(super) async fn list(
    context: &RequestContext<'_>,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let response = ListTransactionsResponse::default();
    let Ok(pattern) = request.transactional_id_pattern.as_deref().map(whole).transpose() else {
        return response.with_error_code(ResponseError::InvalidRegularExpression.code());
    };
    if let Err(error) = context.node.transactions.refresh().await {
        return response.with_error_code(error.code());
    }
    let is_unknown = |filter: &&StrBytes| !State::NAMES.contains(&filter.as_str());
    let unknown: Vec<StrBytes> = request.state_filters.iter().filter(is_unknown).cloned().collect();
    let now_ms = context.node.clock.now_ms();
    let is_wanted = |transaction: &Transaction| {
        let state = transaction.state.as_str();
        let of_state = request.state_filters.is_empty()
            || request.state_filters.iter().any(|filter| filter.as_str() == state);
        let of_producer = request.producer_id_filters.is_empty()
            || request.producer_id_filters.contains(&ProducerId(transaction.producer.id));
        let takes = transaction.started_at_ms.map(|started| now_ms.saturating_sub(started));
        let of_duration =
            request.duration_filter < 0 || takes.is_some_and(|takes| takes >= request.duration_filter);
        of_state && of_producer && of_duration
    };
    let own = context.node.transactions.all().into_iter().filter(|(id, transaction)| {
        context.node.groups.is_coordinator(id)
            && is_wanted(transaction)
            && pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
            && context.sees(DESCRIBE_TRANSACTION, id)
    });
    let listed = own.map(|(id, transaction)| {
        ListedTransaction::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(transaction.producer.id))
            .with_transaction_state(StrBytes::from_static_str(transaction.state.as_str()))
    });
    response.with_transaction_states(listed.collect()).with_unknown_state_filters(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, id: &str, expected: Option<bool>) {
        assert_eq!(whole(pattern).ok().map(|pattern| pattern.is_match(id)), expected);
    }

    #[test]
    fn patterns_are_for_whole_ids_and_bounded() {
        check("", "anything", Some(true));
        check("a.*", "abc", Some(true));
        check("b", "abc", Some(false));
        check("a|abc", "abc", Some(true));
        check("abc)|(.*", "xyz", None);
        check("(", "abc", None);
        check("(a{1000}){1000}", "a", None);
    }
}
