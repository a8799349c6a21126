-- Tells what happens, one JSON line a server step, and sets the scene of an episode.
--
-- log_0.jsonl, in the world's folder, until the first scene is set; log_1.jsonl then, and so on: see log.py.
-- command.json: {"serial", "time", "position", "hp", "slots": {"1": "default:tree 3"}, "nearby": [[x, z, node]]};
-- it is read once and removed; `serial` is told in every line from then on. Whatever is left out is as in a new world.
-- The time of day stands still until {"begin": true} comes: the sky takes on its colour slowly, frame by frame.
-- {"look": [-90, 0]} makes the player look up meanwhile.

local world = minetest.get_worldpath()
local totals, serial, steps = {}, 0, 0
local log = assert(io.open(world .. "/log_0.jsonl", "w"))
local home            -- where a new player stands
local held_time = minetest.settings:get("world_start_time") / 24000  -- until the episode begins, then nil
local changed = {}    -- {hash of a position: what was there before this episode}
local unsure = false  -- something changed that cannot be taken back

local function count(event, item, number)
	if item == "" or number <= 0 then
		return
	end
	totals[event] = totals[event] or {}
	totals[event][item] = (totals[event][item] or 0) + number
end

-- {item: count} of everything that the player carries, the crafting grid included.
local function carried(player)
	local counts = {}
	for _, list in ipairs({"main", "craft"}) do
		for _, stack in ipairs(player:get_inventory():get_list(list) or {}) do
			if not stack:is_empty() then
				counts[stack:get_name()] = (counts[stack:get_name()] or 0) + stack:get_count()
			end
		end
	end
	return counts
end

-- Calls work(...) and counts what the player has more of afterwards as picked up.
local function picking_up(player, work, ...)
	if not (player and player:is_player()) then
		return work(...)
	end
	local before = carried(player)
	local result = {work(...)}
	for item, number in pairs(carried(player)) do
		count("pickup", item, number - (before[item] or 0))
	end
	return unpack(result)
end

-- What happened ------------------------------------------------------------------------------------------------------

minetest.register_on_dignode(function(_, node)
	count("mine_block", node.name, 1)
end)

minetest.register_on_placenode(function(_, node)
	count("use_item", node.name, 1)
end)

minetest.register_on_craft(function(stack)
	count("craft_item", stack:get_name(), stack:get_count())
end)

minetest.register_on_item_eat(function(_, _, stack)
	count("use_item", stack:get_name(), 1)
end)

minetest.register_on_dieplayer(function()
	count("custom", "deaths", 1)
	unsure = true
end)

local handle_drops, node_dig, item_drop = minetest.handle_node_drops, minetest.node_dig, minetest.item_drop

function minetest.handle_node_drops(position, drops, digger)
	return picking_up(digger, handle_drops, position, drops, digger)
end

function minetest.node_dig(position, node, digger)
	local tool = digger and digger:is_player() and digger:get_wielded_item():get_name() or ""
	local result = node_dig(position, node, digger)
	if tool ~= "" and minetest.registered_tools[tool] and digger:get_wielded_item():is_empty() then
		count("break_item", tool, 1)
	end
	return result
end

function minetest.item_drop(stack, dropper, position)
	local name, before = stack:get_name(), stack:get_count()
	local left = item_drop(stack, dropper, position)
	if left then
		count("drop", name, before - left:get_count())
	end
	return left
end

local item_entity = minetest.registered_entities["__builtin:item"]
local item_punched = item_entity.on_punch
function item_entity.on_punch(self, hitter, ...)
	return picking_up(hitter, item_punched, self, hitter, ...)
end

-- What changed in the world ------------------------------------------------------------------------------------------

local function remember(position)
	position = vector.round(position)
	local key = minetest.hash_node_position(position)
	if changed[key] == nil then
		local node = minetest.get_node(position)
		changed[key] = {position = position, node = node, meta = minetest.get_meta(position):to_table()}
	end
end

local swap_node = minetest.swap_node
for _, name in ipairs({"set_node", "add_node", "swap_node", "remove_node"}) do
	local original = minetest[name]
	minetest[name] = function(position, ...)
		remember(position)
		return original(position, ...)
	end
end
for _, name in ipairs({"bulk_set_node", "place_schematic", "spawn_tree", "delete_area"}) do
	local original = minetest[name]
	minetest[name] = function(...)
		unsure = true
		return original(...)
	end
end

local function take_back()
	for _, was in pairs(changed) do
		swap_node(was.position, was.node)
		local meta = minetest.get_meta(was.position)
		meta:from_table(was.meta)
		minetest.get_node_timer(was.position):stop()
	end
	changed = {}
	for _, object in pairs(minetest.object_refs) do
		if not object:is_player() then
			object:remove()
		end
	end
end

-- The scene ----------------------------------------------------------------------------------------------------------

-- The place on top of what one can stand on, at most four blocks up or down.
local function ground(place)
	for up = 4, -4, -1 do
		local node = minetest.get_node(vector.add(place, vector.new(0, up - 1, 0)))
		if (minetest.registered_nodes[node.name] or {}).walkable then
			return vector.add(place, vector.new(0, up, 0))
		end
	end
	return place
end

local function set_scene(player, command)
	take_back()
	local inventory = player:get_inventory()
	for _, list in ipairs({"main", "craft"}) do
		inventory:set_list(list, {})
	end
	for slot, stack in pairs(command.slots or {}) do
		inventory:set_stack("main", tonumber(slot), ItemStack(stack))
	end
	local place = command.position and vector.new(unpack(command.position)) or home
	player:set_pos(place)
	player:add_velocity(vector.multiply(player:get_velocity(), -1))
	player:set_look_horizontal(0)
	player:set_look_vertical(0)
	player:set_hp(command.hp or 20)
	player:set_breath(10)
	held_time = command.time
	for _, block in ipairs(command.nearby or {}) do
		minetest.set_node(ground(vector.add(vector.round(place), vector.new(block[1], 0, block[2]))), {name = block[3]})
	end
	totals, serial = {}, command.serial
end

local function tell(player, dtime)
	local place, velocity, control = player:get_pos(), player:get_velocity(), player:get_player_control_bits()
	local biome = minetest.get_biome_data(place)
	log:write(minetest.write_json({
		serial = serial,
		step = steps,
		dtime = dtime,
		position = {place.x, place.y, place.z},
		velocity = {velocity.x, velocity.y, velocity.z},
		pitch = math.deg(player:get_look_vertical()),
		yaw = math.deg(player:get_look_horizontal()),
		hp = player:get_hp(),
		breath = player:get_breath(),
		control = control,
		time = minetest.get_timeofday(),
		biome = biome and minetest.get_biome_name(biome.biome) or nil,
		wielded = player:get_wielded_item():get_name(),
		inventory = carried(player),
		totals = totals,
		unsure = unsure,
	}), "\n")
	log:flush()
end

local joined
minetest.register_on_joinplayer(function(player)
	joined = player:get_player_name()
	player:hud_set_flags({minimap = false, minimap_radar = false})
end)

minetest.register_globalstep(function(dtime)
	local player = joined and minetest.get_player_by_name(joined)
	if not player then
		return
	end
	steps = steps + 1
	home = home or player:get_pos()
	local file = io.open(world .. "/command.json")
	if file then
		local command = minetest.parse_json(file:read("*a"))
		file:close()
		os.remove(world .. "/command.json")
		if command.begin then
			held_time = nil
		elseif command.look then
			player:set_look_vertical(math.rad(command.look[1]))
			player:set_look_horizontal(math.rad(command.look[2]))
		else
			log:close()
			os.remove(world .. "/log_" .. serial .. ".jsonl")
			set_scene(player, command)
			log = assert(io.open(world .. "/log_" .. serial .. ".jsonl", "w"))
		end
	end
	if held_time then
		minetest.set_timeofday(held_time)
	end
	tell(player, dtime)
end)
