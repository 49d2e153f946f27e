// Step 4: rlhf.
export {};
