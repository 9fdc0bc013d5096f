-- needs marts.fct_lot_edges
-- Every lot that went into a lot, and every lot that it went into, at any depth, each once with the length of the
-- shortest way. Lots are numbered first, so that each step compares numbers; a cycle ends where it comes round.
create macro marts.trace_lots(traced_lot_id) as table
    with recursive

    lots as materialized (
        select
            lot_id,
            row_number() over () as number
        from (
            select parent_lot_id as lot_id from marts.fct_lot_edges
            union
            select child_lot_id as lot_id from marts.fct_lot_edges
        )
    ),

    links as materialized (
        select distinct
            parents.number as parent_number,
            children.number as child_number
        from marts.fct_lot_edges as edges
        inner join lots as parents on edges.parent_lot_id = parents.lot_id
        inner join lots as children on edges.child_lot_id = children.lot_id
    ),

    ways as materialized (
        select true as is_forward, parent_number as from_number, child_number as to_number from links
        union all
        select false as is_forward, child_number as from_number, parent_number as to_number from links
    ),

    reached(is_forward, number, depth) using key (is_forward, number) as (
        select directions.is_forward, lots.number, 0 as depth
        from lots, (values (true), (false)) as directions(is_forward)
        where lots.lot_id = traced_lot_id
        union
        select ways.is_forward, ways.to_number, min(reached.depth) + 1
        from reached
        inner join ways on reached.number = ways.from_number and reached.is_forward = ways.is_forward
        anti join recurring.reached as known
            on ways.to_number = known.number and ways.is_forward = known.is_forward
        group by all
    )

    select
        case when reached.is_forward then 'forward' else 'backward' end as direction_code,
        lots.lot_id,
        cast(reached.depth as integer) as depth
    from reached
    inner join lots on reached.number = lots.number
    where reached.depth > 0
    order by direction_code, depth, lot_id;
