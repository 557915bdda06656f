// Swin: which function draws which scene of figures.py.
import { bias } from './bias.js';
import { merge } from './merge.js';
import { model } from './model.js';
import { board } from './tokens.js';

export const stages = { board, bias, merge, model };
