package import Redis

/// The protocol's scripts, in Lua for Redis.
///
/// Random values come as arguments, so that the scripts are the same wherever they run. Each first writing command is one
/// that Redis refuses when it is out of memory, so a script fails as a whole or not at all.
package enum CacheScript {
    /// All of them, to be loaded at each connect.
    package static let all = [
        Self.bumpScopes, Self.apply, Self.declareAlive, Self.reset, Self.capture, Self.store,
    ]

    /// Retires one scope unless all the transactions were retired in this very data set before.
    ///
    /// The ring rolls back together with the generation, so what it remembers was really done here. A fresh generation was
    /// never used before: counting on instead would let a rolled-back server hand out a number twice.
    private static let bump = """
        local function bump(g, r, ns, fresh, ids, gttl, rttl, rsize)
          local unseen = (#ids == 0)
          for i = 1, #ids do
            if redis.call('ZADD', r, 'NX', ids[i], ns .. ':' .. ids[i]) == 1 then unseen = true end
          end
          if #ids > 0 then
            redis.call('ZREMRANGEBYRANK', r, 0, -rsize - 1)
            redis.call('PEXPIRE', r, rttl)
          end
          if unseen then redis.call('SET', g, fresh, 'PX', gttl) end
        end

        """

    /// The writer's fast path: retires the scopes of committed writes and publishes a hint.
    ///
    /// KEYS: `_g` and `_r` of each scope. ARGV: ns, generation TTL, ring TTL, ring size, channel, message, then fresh and
    /// transaction of each scope.
    package static let bumpScopes = RedisScript(
        name: "bumpScopes",
        source: Self.bump + """
            for i = 1, #KEYS / 2 do
              bump(KEYS[2 * i - 1], KEYS[2 * i], ARGV[1], ARGV[5 + 2 * i], {ARGV[6 + 2 * i]}, ARGV[2], ARGV[3], ARGV[4])
            end
            redis.call('PUBLISH', ARGV[5], ARGV[6])
            return 'OK'
            """
    )

    /// Applies log rows: bumps, watermark and message in one script and in this order.
    ///
    /// Were the watermark moved elsewhere, a crash in between would leave a data set that claims bumps it never had.
    /// KEYS: wm, then `_g` and `_r` of each item. ARGV: ns, first, last, tag, generation TTL, ring TTL, ring size, channel,
    /// message, then of each item its sequence, fresh, number of transactions, and these.
    package static let apply = RedisScript(
        name: "apply",
        source: Self.bump + """
            local wm = redis.call('GET', KEYS[1])
            local wns, wseq
            if wm then wns, wseq = string.match(wm, '^(%x+) (%d+) ') end
            if not wns or wns ~= ARGV[1] then return 'NS' end
            wseq = tonumber(wseq)
            if tonumber(ARGV[2]) > wseq + 1 then return 'GAP' end
            if tonumber(ARGV[3]) <= wseq then return 'OLD' end
            local a = 10
            for i = 1, (#KEYS - 1) / 2 do
              local n = tonumber(ARGV[a + 2])
              if tonumber(ARGV[a]) > wseq then
                local ids = {}
                for j = 1, n do ids[j] = ARGV[a + 2 + j] end
                bump(KEYS[2 * i], KEYS[2 * i + 1], ARGV[1], ARGV[a + 1], ids, ARGV[5], ARGV[6], ARGV[7])
              end
              a = a + 3 + n
            end
            redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
            redis.call('PUBLISH', ARGV[8], ARGV[9])
            return 'OK'
            """
    )

    /// Declares the server up to date and beats.
    ///
    /// Only if its watermark is exactly the head: declared before the replay, a rolled-back server would be trusted without
    /// the bumps it lost. KEYS: wm, alive. ARGV: ns, head, tag, run id, drains, TTL, channel, message.
    package static let declareAlive = RedisScript(
        name: "declareAlive",
        source: """
            local wm = redis.call('GET', KEYS[1])
            if not wm or string.match(wm, '^(%x+) ') ~= ARGV[1] then return 'NS' end
            if wm ~= ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] then return 'GAP' end
            local alive = redis.call('GET', KEYS[2])
            if alive then
              local ans, arun, adrains = string.match(alive, '^(%x+) (%S+) (%d+)$')
              if ans == ARGV[1] and arun == ARGV[4] and tonumber(adrains) > tonumber(ARGV[5]) then return 'OLD' end
            end
            redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5], 'PX', ARGV[6])
            redis.call('PUBLISH', ARGV[7], ARGV[8])
            return 'OK'
            """
    )

    /// Begins a data set anew under a namespace just created, never one that was in use: bumps could be missing under it.
    ///
    /// KEYS: alive, wm. ARGV: the watermark.
    package static let reset = RedisScript(
        name: "reset",
        source: """
            redis.call('SET', KEYS[2], ARGV[1])
            redis.call('DEL', KEYS[1])
            return 'OK'
            """
    )

    /// The scope's generation, made if it is missing.
    ///
    /// KEYS: `_g`. ARGV: fresh, TTL.
    package static let capture = RedisScript(
        name: "capture",
        source: """
            local g = redis.call('GET', KEYS[1])
            if g then return g end
            redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
            return ARGV[1]
            """
    )

    /// Stores a value if the scope's generation is still the one captured before its snapshot was taken.
    ///
    /// Without the comparison a slow reader would bring a retired value back. KEYS: `_g`, the value's key. ARGV: captured,
    /// value, TTL, generation TTL.
    package static let store = RedisScript(
        name: "store",
        source: """
            if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'RETIRED' end
            redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
            redis.call('PEXPIRE', KEYS[1], ARGV[4])
            return 'OK'
            """
    )
}
