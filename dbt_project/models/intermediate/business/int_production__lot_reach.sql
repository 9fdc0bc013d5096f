{{ config(materialized='table') }}

with recursive

edges as (

    select distinct
        parent_lot_id,
        child_lot_id
    from {{ ref('int_production__lot_edges') }}

),

-- Pairs and not paths: blends multiply paths without end, and a pair met again ends the search, also in a cycle.
reached as (

    select
        parent_lot_id as ancestor_lot_id,
        child_lot_id as descendant_lot_id
    from edges
    union
    select
        reached.ancestor_lot_id,
        edges.child_lot_id as descendant_lot_id
    from reached
    inner join edges on reached.descendant_lot_id = edges.parent_lot_id

)

select
    ancestor_lot_id,
    descendant_lot_id
from reached
