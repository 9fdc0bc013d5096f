with

reach as (

    select * from {{ ref('int_production__lot_reach') }}

),

edges as (

    select distinct
        parent_lot_id,
        child_lot_id
    from {{ ref('int_production__lot_edges') }}

)

select
    reach.ancestor_lot_id,
    reach.descendant_lot_id,
    edges.parent_lot_id is not null as is_direct
from reach
left join edges
    on reach.ancestor_lot_id = edges.parent_lot_id and reach.descendant_lot_id = edges.child_lot_id
where reach.ancestor_lot_id <> reach.descendant_lot_id
