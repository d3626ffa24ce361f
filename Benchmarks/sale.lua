-- wrk: sales of one unit of a random product, each with a key of its own, paid in cash.
-- STOCK_TOKEN and STOCK_PRODUCTS (ids separated by commas) come from the environment.
local products = {}
for id in os.getenv("STOCK_PRODUCTS"):gmatch("[^,]+") do products[#products + 1] = id end
local head = {
    ["Authorization"] = "Bearer " .. os.getenv("STOCK_TOKEN"),
    ["Content-Type"] = "application/json",
}
local run, number, thread = os.time(), 0, 0

function setup(t)
    t:set("thread", thread)
    thread = thread + 1
end

function init(_)
    math.randomseed(run + thread)
    run = math.random(1e9)
end

function request()
    number = number + 1
    head["Idempotency-Key"] = "bench-" .. thread .. "-" .. run .. "-" .. number
    local id = products[math.random(#products)]
    return wrk.format("POST", "/v1/sales", head,
        '{"lines":[{"product_id":"' .. id .. '","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}')
end

local failed = 0
function response(status, _, body)
    if status ~= 201 then
        failed = failed + 1
        if failed <= 3 then io.stderr:write(status .. " " .. body .. "\n") end
    end
end

function done(summary)
    local errors = summary.errors
    io.write(string.format("RESULT %.1f %d\n", summary.requests / summary.duration * 1e6,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
