SELECT jsonb_agg(jsonb_build_object(
    'ordinal', changed.ordinal, 'version', changed.version, 'status', changed.status, 'price', changed.price,
    'category', changed.category, 'zone', changed.zone, 'row', changed.row_label, 'number', changed.seat_number
) ORDER BY changed.ordinal) AS seats
