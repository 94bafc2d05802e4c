a.order_no, a.number AS attempt_number, a.provider, a.environment, a.amount AS attempt_amount, a.state AS attempt_state,
       a.provider_key, a.retry_until, a.code AS attempt_code, a.shops_fault, a.method, a.approval_number, a.receipt_url,
       a.approved_at, a.refunded
