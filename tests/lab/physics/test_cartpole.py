"""The pole on a cart, step by step against gymnasium's."""

import gymnasium
import numpy as np
import torch

from physnn.lab.physics import cartpole


def test_every_step_is_gymnasiums():
    """From 300 states in all of the track, and some beyond its ends, with both forces."""
    env = gymnasium.make("CartPole-v1").unwrapped
    drawn = np.random.default_rng(0)
    states = drawn.uniform(-1, 1, (300, 4)) * [2.6, 3.0, 0.25, 3.0]
    right = drawn.random(300) < 0.5
    after = cartpole.step(torch.from_numpy(states), torch.from_numpy(right))
    over = cartpole.fallen(after)
    assert 20 < over.sum() < 280
    env.reset(seed=0)
    for state, push, expected, ended in zip(states, right, after.numpy(), over.tolist(), strict=True):
        env.state, env.steps_beyond_terminated = state, None
        _, reward, terminated, _, _ = env.step(int(push))
        np.testing.assert_allclose(env.state, expected, rtol=1e-13, atol=1e-13)
        assert terminated == ended and reward == 1


def test_an_episode_is_gymnasiums_to_its_end():
    env = gymnasium.make("CartPole-v1")
    assert env.spec.max_episode_steps == cartpole.LONGEST
    for seed in range(3):
        env.reset(seed=seed)
        state, pushes = torch.tensor(env.unwrapped.state), np.random.default_rng(seed).integers(0, 2, 200)
        for push in pushes:
            _, _, terminated, _, _ = env.step(int(push))
            state = cartpole.step(state, torch.tensor(bool(push)))
            assert terminated == cartpole.fallen(state).item()
            if terminated:
                break
        assert terminated
        np.testing.assert_allclose(env.unwrapped.state, state, rtol=1e-9, atol=1e-12)


def test_starts_are_those_of_gymnasium():
    drawn = cartpole.start(torch.Generator().manual_seed(0), 2000)
    assert drawn.shape == (2000, 4) and drawn.dtype == torch.float64
    assert 0.0499 < drawn.abs().max() < 0.05 and drawn.mean(0).abs().max() < 4 * 0.05 / (3 * 2000) ** 0.5
