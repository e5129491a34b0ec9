-- Payments of the time before lines kept their own: taken from the receipts.

insert into charge_payments (company_id, project_id, line_id, day, kind, principal_fen, late_fee_fen, source)
    select c.company_id, c.project_id, c.id, r.business_date, 'payment', l.principal_fen, l.late_fee_fen, e.source
    from receipt_lines l join receipts r on r.id = l.receipt_id join charge_lines c on c.id = l.charge_line
    join ledger_entries e on e.id = r.entry_id order by r.id, l.line;
