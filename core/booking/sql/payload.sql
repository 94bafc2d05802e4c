jsonb_build_object(
    'event', sale.slug, 'event_id', sale.id, 'event_name', sale.name, 'reservation_id', made.id,
    'visitor', made.visitor, 'status', made.status, 'reason', made.reason, 'email', made.email,
    'language', made.language, 'amount', made.amount, 'currency', made.currency, 'ticket_code', made.ticket_code,
    'at', to_char(made.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'seats', coalesce(changes.seats, '[]'::jsonb)
)
