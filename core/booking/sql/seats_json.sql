SELECT jsonb_agg(jsonb_build_object(
    'ordinal', changed.ordinal, 'version', changed.version, -- Who is kept for is no business of the ledger: the seat is nobody's.
    'status', CASE changed.status WHEN 'RETURNED' THEN 'AVAILABLE' ELSE changed.status END, 'price', changed.price,
    'category', changed.category, 'zone', changed.zone, 'row', changed.row_label, 'number', changed.seat_number
) ORDER BY changed.ordinal) AS seats
