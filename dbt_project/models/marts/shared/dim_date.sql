with

days as (

    {{ days_between("date '2020-01-01'", "date '2039-12-31'") }}

)

select
    calendar_date,
    {{ day_start_utc('calendar_date') }} as day_start_utc,
    cast(extract(year from calendar_date) as integer) as calendar_year,
    cast(extract(quarter from calendar_date) as integer) as calendar_quarter,
    cast(extract(month from calendar_date) as integer) as calendar_month,
    cast(extract(day from calendar_date) as integer) as day_of_month
from days
