package import Redis

/// The protocol's scripts, in Lua for Redis.
///
/// Random values and times come as arguments, so that the scripts are the same wherever they run. Redis refuses the first
/// writing command of a script when it is out of memory, if that command may take memory; the first of each script here
/// does, so a script fails as a whole or not at all. Once something was written nothing is refused any more.
package struct CacheScript: Sendable {
    /// The scripts as shipped, to be loaded at each connect.
    package static let all = CacheScript(defects: Defects()).all

    /// The writer's fast path: retires the scopes of committed writes and publishes a hint.
    ///
    /// KEYS: `_g` and `_r` of each scope. ARGV: ns, generation TTL, ring TTL, ring size, channel, message, then of each scope
    /// its fresh generation, number of transactions, and these.
    package let bumpScopes: RedisScript
    /// Applies log rows: bumps, watermark and message in one script and in this order.
    ///
    /// Were the watermark moved elsewhere, a crash in between would leave a data set that claims bumps it never had.
    /// KEYS: wm, then `_g` and `_r` of each item. ARGV: ns, first, last, tag, generation TTL, ring TTL, ring size, channel,
    /// message, then of each item its sequence, fresh generation, number of transactions, and these.
    package let apply: RedisScript
    /// Declares the server up to date and beats.
    ///
    /// Only if its watermark is exactly the head: declared before the replay, a rolled-back server would be trusted without
    /// the bumps it lost. KEYS: wm, alive. ARGV: ns, head, tag, run id, drains, TTL, channel, message.
    package let declareAlive: RedisScript
    /// Begins a data set anew under a namespace just created, never one that was in use: bumps could be missing under it.
    ///
    /// KEYS: alive, wm. ARGV: the watermark.
    package let reset: RedisScript
    /// Asks for the right to fill, making the scope's generation if it is missing.
    ///
    /// Answers HIT, generation, value; WAIT, generation, the lease another holds; FILL, generation. A lease of a retired
    /// generation is none. Who fills shows life by that, or its first lease could be taken over before its first beat.
    /// KEYS: `_g`, value, lease, liveness. ARGV: fresh generation, generation TTL, ns, owner, lease TTL, `1` to pass over a
    /// value that is there, liveness TTL.
    package let lease: RedisScript
    /// Stores a value if the scope's generation is still the one captured before its snapshot, and frees the owner's lease.
    ///
    /// Without the comparison a slow reader would bring a retired value back. The lease is freed last: freed first, it would
    /// be the first write, and the value would be kept although Redis is out of memory. KEYS: `_g`, value, lease, `_x`.
    /// ARGV: captured, value, TTL, generation TTL, own lease or nothing, expiry, name in the index, size of the index.
    package let store: RedisScript
    /// Takes a lease over from an owner that is gone, if it still is the one seen.
    ///
    /// KEYS: lease, liveness. ARGV: seen, own lease, lease TTL, liveness TTL.
    package let steal: RedisScript
    /// Frees a lease, if it still is the owner's.
    ///
    /// KEYS: lease. ARGV: own lease.
    package let release: RedisScript
    /// Frees the memory of retired values of one scope; says how many of those named are not retired.
    ///
    /// KEYS: `_g`, `_x`, then at most 100 values. ARGV: their names in the index.
    package let sweep: RedisScript

    /// All of them.
    var all: [RedisScript] {
        [
            bumpScopes, apply, declareAlive, reset, lease, store, steal,
            release,
            sweep,
        ]
    }

    /// The scripts, without the guards a test build is told to leave out.
    package init(defects: Defects) {
        func script(_ name: String, _ source: String) -> RedisScript {
            #if COHERENCE_CONTROLS
            Self.variant(name, source, without: defects)
            #else
            RedisScript(name: name, source: source)
            #endif
        }
        bumpScopes = script("bumpScopes", Self.bump + Self.bumpScopesBody)
        apply = script("apply", Self.bump + Self.applyBody)
        declareAlive = script("declareAlive", Self.declareAliveBody)
        reset = script("reset", Self.resetBody)
        lease = script("lease", Self.leaseBody)
        store = script("store", Self.storeBody)
        steal = script("steal", Self.stealBody)
        release = script("release", Self.releaseBody)
        sweep = script("sweep", Self.sweepBody)
    }
}

extension CacheScript {
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

    private static let bumpScopesBody = """
        local a = 7
        for i = 1, #KEYS / 2 do
          local n = tonumber(ARGV[a + 1])
          local ids = {}
          for j = 1, n do ids[j] = ARGV[a + 1 + j] end
          bump(KEYS[2 * i - 1], KEYS[2 * i], ARGV[1], ARGV[a], ids, ARGV[2], ARGV[3], ARGV[4])
          a = a + 2 + n
        end
        redis.call('PUBLISH', ARGV[5], ARGV[6])
        return 'OK'
        """

    private static let applyBody = """
        local wm = redis.call('GET', KEYS[1])
        local wns, wseq
        if wm then wns, wseq = string.match(wm, '^(%x+) (%d+) ') end
        if not wns then return 'NS' end
        if wns ~= ARGV[1] then return 'NS' end
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

    private static let declareAliveBody = """
        local wm = redis.call('GET', KEYS[1])
        local wns, wseq, wtag
        if wm then wns, wseq, wtag = string.match(wm, '^(%x+) (%d+) (-?%d+)$') end
        if not wns then return 'NS' end
        if wns ~= ARGV[1] then return 'NS' end
        if wseq ~= ARGV[2] then return 'GAP' end
        if wtag ~= ARGV[3] then return 'GAP' end
        local alive = redis.call('GET', KEYS[2])
        if alive then
          local ans, arun, adrains = string.match(alive, '^(%x+) (%S+) (%d+)$')
          if ans == ARGV[1] and arun == ARGV[4] and tonumber(adrains) > tonumber(ARGV[5]) then return 'OLD' end
        end
        redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5], 'PX', ARGV[6])
        redis.call('PUBLISH', ARGV[7], ARGV[8])
        return 'OK'
        """

    private static let resetBody = """
        redis.call('SET', KEYS[2], ARGV[1])
        redis.call('DEL', KEYS[1])
        return 'OK'
        """

    private static let leaseBody = """
        local fresh = ARGV[1]
        local g = redis.call('GET', KEYS[1])
        if not g then
          g = fresh
          redis.call('SET', KEYS[1], g, 'PX', ARGV[2])
        end
        if ARGV[6] ~= '1' then
          local header = redis.call('GETRANGE', KEYS[2], 0, 65)
          if header == 'S1' .. ARGV[3] .. g then return {'HIT', g, redis.call('GET', KEYS[2])} end
        end
        local l = redis.call('GET', KEYS[3])
        if l and string.sub(l, 1, #g + 1) == g .. ' ' then return {'WAIT', g, l} end
        redis.call('SET', KEYS[3], g .. ' ' .. ARGV[4], 'PX', ARGV[5])
        redis.call('SET', KEYS[4], '1', 'PX', ARGV[7])
        return {'FILL', g}
        """

    private static let storeBody = """
        local held = ARGV[5] ~= '' and redis.call('GET', KEYS[3]) == ARGV[5]
        local answer = 'RETIRED'
        local value = ARGV[2]
        local g = redis.call('GET', KEYS[1])
        if g == ARGV[1] then
          answer = redis.pcall('SET', KEYS[2], value, 'PX', ARGV[3])
          if not answer.err then
            redis.call('PEXPIRE', KEYS[1], ARGV[4])
            redis.call('ZADD', KEYS[4], ARGV[6], ARGV[7])
            redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -ARGV[8] - 1)
            redis.call('PEXPIRE', KEYS[4], ARGV[4])
            answer = 'OK'
          end
        end
        if held then redis.call('DEL', KEYS[3]) end
        return answer
        """

    private static let stealBody = """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'LOST' end
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
        return 'OK'
        """

    private static let releaseBody = """
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'LOST' end
        redis.call('DEL', KEYS[1])
        return 'OK'
        """

    private static let sweepBody = """
        local g = redis.call('GET', KEYS[1])
        local kept = 0
        for i = 3, #KEYS do
          if g and redis.call('GETRANGE', KEYS[i], 34, 65) == g then
            kept = kept + 1
          else
            redis.call('UNLINK', KEYS[i])
            redis.call('ZREM', KEYS[2], ARGV[i - 2])
          end
        end
        return kept
        """
}
