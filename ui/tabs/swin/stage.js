// Swin: which function draws which scene of figures.py.
import { bias } from './bias.js';
import { merge } from './merge.js';
import { model } from './model.js';
import { network } from './network.js';
import { rollout } from './rollout.js';
import { board } from './tokens.js';

export const stages = { board, bias, merge, model, network, rollout };
