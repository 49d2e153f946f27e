// Step 3: diffusion.
export {};
